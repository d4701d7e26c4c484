/** Answers the resource and completion methods of a server from its templates. */
import {
  ProtocolError,
  ProtocolErrorCode,
  ResourceNotFoundError,
  type CompleteRequest,
  type CompleteResult,
  type ReadResourceResult,
  type ResourceTemplateType,
} from '@modelcontextprotocol/server';
import { toErrorText, type Failure } from '@database-mcp/errors';
import type { Complete, ResourceTemplate } from './define-resource.ts';
import type { ToolContext } from './define-tool.ts';
import { millisecondsSince, reportCall, type CallOptions } from './report-call.ts';
import { runBounded, type RunOutcome } from './run-bounded.ts';
import { DATA_NOTE, type TableResult } from './table-result.ts';

/** S38. */
const MAX_COMPLETIONS = 100;
const MIME_TYPE = 'application/json';

/** What one request is bounded by, without its name. */
export type ResourceRequestOptions = Omit<CallOptions, 'name'>;

/** The methods, ready to be registered. */
export interface ResourceHandlers {
  readonly templates: ResourceTemplateType[];
  /** Rejects with -32602 and `data.uri` when there is no such resource. */
  read(uri: string, options: ResourceRequestOptions): Promise<ReadResourceResult>;
  complete(params: CompleteRequest['params'], options: ResourceRequestOptions): Promise<CompleteResult>;
}

/** Creates the handlers for the templates of one instance. */
export function createResourceHandlers(instance: string, templates: readonly ResourceTemplate[]): ResourceHandlers {
  // RFC 3986 has no underscore in a scheme, and an instance has no dot, so two instances never share a scheme.
  const start = `${instance.replaceAll('_', '.')}://`;
  const byUri = new Map(templates.map((template) => [toUriTemplate(start, template), template]));
  return {
    templates: [...byUri].map(([uriTemplate, { name, description }]) => ({
      uriTemplate,
      name: `${instance}_${name}`,
      description: `${description} ${DATA_NOTE}`,
      mimeType: MIME_TYPE,
    })),
    async read(uri, options) {
      const values = readValues(start, uri);
      const template = templates.find(({ variables }) => variables.length === values?.length);
      if (!values || !template) throw new ResourceNotFoundError(uri, notOurs(uri, byUri.keys()));
      const { text } = await run('resources/read', options, (context) => template.read(values, context), uri);
      return { contents: [{ uri, mimeType: MIME_TYPE, text }] };
    },
    async complete({ ref, argument, context }, options) {
      const complete = findCompletion(ref, argument.name, byUri);
      const request = { typed: argument.value, chosen: context?.arguments ?? {}, limit: MAX_COMPLETIONS + 1 };
      const { value: found } = await run('completion/complete', options, (context) => complete(request, context));
      return { completion: { values: found.slice(0, MAX_COMPLETIONS), hasMore: found.length > MAX_COMPLETIONS } };
    },
  };
}

function toUriTemplate(start: string, { variables }: ResourceTemplate): string {
  return start + variables.map((variable) => `{${variable}}`).join('/');
}

/** The decoded segments after `<instance>://`; undefined when one is empty or wrongly encoded. */
function readValues(start: string, uri: string): string[] | undefined {
  // The scheme has no case (RFC 3986 §3.1).
  if (uri.slice(0, start.length).toLowerCase() !== start || /[?#]/.test(uri)) return undefined;
  try {
    const values = uri.slice(start.length).split('/').map(decodeURIComponent);
    return values.includes('') ? undefined : values;
  } catch {
    return undefined;
  }
}

function notOurs(uri: string, known: Iterable<string>): string {
  return `There is no resource ${JSON.stringify(uri)}. The templates are ${[...known].join(' and ')}; names are percent-encoded.`;
}

function findCompletion(
  ref: CompleteRequest['params']['ref'],
  name: string,
  byUri: ReadonlyMap<string, ResourceTemplate>,
): Complete {
  const template = ref.type === 'ref/resource' ? byUri.get(ref.uri) : undefined;
  if (!template) {
    const what = ref.type === 'ref/resource' ? ref.uri : `the prompt ${ref.name}`;
    throw invalid(`Nothing is completed for ${what}. The templates are ${[...byUri.keys()].join(' and ')}.`);
  }
  const complete = template.complete.get(name);
  if (complete) return complete;
  throw invalid(`The template has no variable ${JSON.stringify(name)}; it has ${template.variables.join(', ')}.`);
}

function invalid(message: string): ProtocolError {
  return new ProtocolError(ProtocolErrorCode.InvalidParams, message);
}

/** The result, and the text of it. */
interface Done<T> {
  value: T;
  text: string;
}

async function run<T extends TableResult | string[]>(
  name: string,
  options: ResourceRequestOptions,
  work: (context: ToolContext) => Promise<T>,
  uri?: string,
): Promise<Done<T>> {
  const startedAt = performance.now();
  const refusal = options.audit?.refuse();
  const outcome: RunOutcome<T> = refusal
    ? { kind: 'failed', failure: refusal }
    : await runBounded((signal) => work({ signal }), { ...options, name });
  const value = outcome.kind === 'done' ? outcome.value : undefined;
  const text = value === undefined ? '' : JSON.stringify(value);
  const withheld = reportCall(
    {
      status: outcome.kind === 'done' ? 'ok' : outcome.failure.code,
      bytes: Buffer.byteLength(text),
      result: value && 'rowCount' in value ? value : undefined,
      durationMs: millisecondsSince(startedAt),
    },
    { ...options, name, audit: refusal ? undefined : options.audit },
  );
  if (withheld) throw toProtocolError(withheld, uri);
  if (outcome.kind === 'failed') throw toProtocolError(outcome.failure, uri);
  return { value: outcome.value, text };
}

function toProtocolError(failure: Failure, uri: string | undefined): Error {
  const text = toErrorText(failure);
  if (failure.code === 'NOT_FOUND' && uri !== undefined) return new ResourceNotFoundError(uri, text);
  return new ProtocolError(ProtocolErrorCode.InternalError, text);
}
