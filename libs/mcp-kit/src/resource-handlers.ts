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
import { LOG_FIELD } from '@database-mcp/telemetry';
import type { Complete, ResourceTemplate } from './define-resource.ts';
import { runBounded, type RunOptions } from './run-bounded.ts';

/** S38. */
const MAX_COMPLETIONS = 100;
const MIME_TYPE = 'application/json';

/** What one request is bounded by, without its name. */
export type ResourceRequestOptions = Omit<RunOptions, 'name'>;

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
      description,
      mimeType: MIME_TYPE,
    })),
    async read(uri, options) {
      const values = readValues(start, uri);
      const template = templates.find(({ variables }) => variables.length === values?.length);
      if (!values || !template) throw new ResourceNotFoundError(uri, notOurs(uri, byUri.keys()));
      const result = await run('resources/read', options, (signal) => template.read(values, { signal }), uri);
      return { contents: [{ uri, mimeType: MIME_TYPE, text: JSON.stringify(result) }] };
    },
    async complete({ ref, argument, context }, options) {
      const complete = findCompletion(ref, argument.name, byUri);
      const request = { typed: argument.value, chosen: context?.arguments ?? {}, limit: MAX_COMPLETIONS + 1 };
      const found = await run('completion/complete', options, (signal) => complete(request, { signal }));
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

async function run<T>(
  name: string,
  options: ResourceRequestOptions,
  work: (signal: AbortSignal) => Promise<T>,
  uri?: string,
): Promise<T> {
  const started = performance.now();
  const outcome = await runBounded(work, { ...options, name });
  options.logger.info(
    {
      [LOG_FIELD.TOOL]: name,
      [LOG_FIELD.STATUS]: outcome.kind === 'done' ? 'ok' : outcome.failure.code,
      [LOG_FIELD.DURATION_MS]: Math.round((performance.now() - started) * 10) / 10,
    },
    'call',
  );
  if (outcome.kind === 'done') return outcome.value;
  throw toProtocolError(outcome.failure, uri);
}

function toProtocolError(failure: Failure, uri: string | undefined): Error {
  const text = toErrorText(failure);
  if (failure.code === 'NOT_FOUND' && uri !== undefined) return new ResourceNotFoundError(uri, text);
  return new ProtocolError(ProtocolErrorCode.InternalError, text);
}
