/**
 * Translates the URIs of resources in messages of an upstream with `rewriteUris`: in every place that the protocol gives
 * them (G22), and nowhere else: what tools return as data and what they take as arguments stays as it is. Only the bytes
 * of the URIs change.
 */
import { isObject, type JsonObject } from '../protocol.ts';
import { findMember, findValue, listElements, type Span } from '../json-spans.ts';

/** Gives the URI that takes the place of another. */
export type TranslateUri = (uri: string) => string;

interface Edit extends Span {
  text: string;
}

/** Content within content (a tool's result in a sampling message) is followed this deep. */
const MAX_DEPTH = 8;

/** An item of a list: the user interface that a tool names. Its own URI is its name and has been replaced before. */
export function rewriteListItem(text: Buffer, translate: TranslateUri): Buffer {
  const edits = new Edits(text, translate);
  edits.addMeta(JSON.parse(text.toString('utf8')), findValue(text));
  return edits.apply();
}

/** A response or notification of the upstream. Text that is no JSON passes as it is. */
export function rewriteMessage(text: Buffer, translate: TranslateUri): Buffer {
  let message: unknown;
  try {
    message = JSON.parse(text.toString('utf8'));
  } catch {
    return text;
  }
  if (!isObject(message)) return text;
  const edits = new Edits(text, translate);
  const top = findValue(text);
  if (message['method'] === 'notifications/resources/updated') edits.addString(message, top, 'params', 'uri');
  edits.addString(message, top, 'error', 'data', 'uri');
  edits.addResult(message['result'], edits.member(top, 'result'));
  return edits.apply();
}

class Edits {
  readonly #text: Buffer;
  readonly #translate: TranslateUri;
  readonly #edits: Edit[] = [];

  constructor(text: Buffer, translate: TranslateUri) {
    this.#text = text;
    this.#translate = translate;
  }

  apply(): Buffer {
    if (this.#edits.length === 0) return this.#text;
    const parts: Buffer[] = [];
    let at = 0;
    for (const { start, end, text } of this.#edits.toSorted((a, b) => a.start - b.start)) {
      parts.push(this.#text.subarray(at, start), Buffer.from(text));
      at = end;
    }
    return Buffer.concat([...parts, this.#text.subarray(at)]);
  }

  member(span: Span | undefined, key: string): Span | undefined {
    return span && findMember(this.#text, span.start, key);
  }

  /** The string at the path below the object. */
  addString(value: unknown, span: Span | undefined, ...path: readonly string[]): void {
    let below: unknown = value;
    let place = span;
    for (const key of path) {
      if (!isObject(below)) return;
      below = below[key];
      place = place && below !== undefined ? this.member(place, key) : undefined;
    }
    if (typeof below === 'string' && place)
      this.#edits.push({ ...place, text: JSON.stringify(this.#translate(below)) });
  }

  /** `_meta.ui.resourceUri`, and the form that MCP Apps had before. */
  addMeta(value: unknown, span: Span | undefined): void {
    this.addString(value, span, '_meta', 'ui', 'resourceUri');
    this.addString(value, span, '_meta', 'ui/resourceUri');
  }

  addResult(result: unknown, span: Span | undefined): void {
    if (!isObject(result)) return;
    this.addMeta(result, span);
    this.#each(result['contents'], this.member(span, 'contents'), (item, place) => {
      this.addString(item, place, 'uri');
      this.addMeta(item, place);
    });
    this.addContent(result['content'], this.member(span, 'content'), 0);
    this.addMessages(result, span);
    this.addInputRequests(result['inputRequests'], this.member(span, 'inputRequests'));
  }

  addMessages(holder: JsonObject, span: Span | undefined): void {
    this.#each(holder['messages'], this.member(span, 'messages'), (message, place) => {
      if (isObject(message)) this.addContent(message['content'], this.member(place, 'content'), 0);
    });
  }

  /** Content blocks, one or many. */
  addContent(content: unknown, span: Span | undefined, depth: number): void {
    if (depth > MAX_DEPTH || !span) return;
    if (Array.isArray(content)) return this.#each(content, span, (block, place) => this.addBlock(block, place, depth));
    this.addBlock(content, span, depth);
  }

  addBlock(block: unknown, span: Span, depth: number): void {
    if (!isObject(block)) return;
    this.addMeta(block, span);
    if (block['type'] === 'resource_link') this.addString(block, span, 'uri');
    if (block['type'] === 'resource') {
      this.addString(block, span, 'resource', 'uri');
      this.addMeta(block['resource'], this.member(span, 'resource'));
    }
    if (block['type'] === 'tool_result') {
      this.addContent(block['content'], this.member(span, 'content'), depth + 1);
    }
  }

  /** What an unfinished call asks of the client: messages for its model may show resources. */
  addInputRequests(requests: unknown, span: Span | undefined): void {
    if (!isObject(requests)) return;
    for (const [key, request] of Object.entries(requests)) {
      if (!isObject(request) || !isObject(request['params'])) continue;
      this.addMessages(request['params'], this.member(this.member(span, key), 'params'));
    }
  }

  #each(values: unknown, span: Span | undefined, visit: (value: unknown, span: Span) => void): void {
    if (!Array.isArray(values) || !span) return;
    for (const [index, place] of listElements(this.#text, span.start).entries()) visit(values[index], place);
  }
}
