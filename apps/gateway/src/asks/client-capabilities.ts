/**
 * What a client can be asked during a call, as a short key with one letter for each capability that the gateway relays.
 * The key stands in session ids, chooses a session of a legacy server, and is what such a session declares. Pure.
 */
import { isObject, type JsonObject } from '../protocol.ts';

/** Letters of {@link LETTERS}, each at most once and in that order; `''` is a client that cannot be asked. */
export type AskKey = string;

/** A client that cannot be asked anything. */
export const ASK_NOTHING: AskKey = '';

/** The methods during which a server may ask (MCP 2026-07-28 MRTR, S41). */
export const ASKING_METHODS: ReadonlySet<string> = new Set(['tools/call', 'prompts/get', 'resources/read']);

const LETTER = { form: 'f', url: 'u', sampling: 's', tools: 't', context: 'c', roots: 'r' } as const;
const ASK_KEY = /^f?u?(?:st?c?)?r?$/;

/** The key of a client's declared capabilities, in the form of any revision. */
export function toAskKey(capabilities: unknown): AskKey {
  if (!isObject(capabilities)) return ASK_NOTHING;
  const { elicitation, sampling, roots } = capabilities;
  let key = '';
  // An empty object declares forms alone, as before there was anything else.
  if (isObject(elicitation) && (isObject(elicitation['form']) || !isObject(elicitation['url']))) key += LETTER.form;
  if (isObject(elicitation) && isObject(elicitation['url'])) key += LETTER.url;
  if (isObject(sampling)) {
    key += LETTER.sampling;
    if (isObject(sampling['tools'])) key += LETTER.tools;
    if (isObject(sampling['context'])) key += LETTER.context;
  }
  return isObject(roots) ? `${key}${LETTER.roots}` : key;
}

/** Whether the text is a key. */
export function isAskKey(text: string): boolean {
  return ASK_KEY.test(text);
}

/** The capabilities as a client declares them. */
export function toCapabilities(key: AskKey): JsonObject {
  const has = (letter: string): boolean => key.includes(letter);
  const form = has(LETTER.form) ? { form: {} } : {};
  const url = has(LETTER.url) ? { url: {} } : {};
  const tools = has(LETTER.tools) ? { tools: {} } : {};
  const context = has(LETTER.context) ? { context: {} } : {};
  return {
    ...(has(LETTER.form) || has(LETTER.url) ? { elicitation: { ...form, ...url } } : {}),
    ...(has(LETTER.sampling) ? { sampling: { ...tools, ...context } } : {}),
    ...(has(LETTER.roots) ? { roots: {} } : {}),
  };
}

/** Whether a client with that key can be asked this. */
export function canBeAsked(key: AskKey, method: string, params: JsonObject): boolean {
  const letter = letterOf(method, params);
  return letter !== undefined && key.includes(letter);
}

/** Whether a client with that key can be sent to a URL. */
export function canOpenUrl(key: AskKey): boolean {
  return key.includes(LETTER.url);
}

function letterOf(method: string, params: JsonObject): string | undefined {
  if (method === 'elicitation/create') return params['mode'] === 'url' ? LETTER.url : LETTER.form;
  if (method === 'sampling/createMessage') return params['tools'] === undefined ? LETTER.sampling : LETTER.tools;
  return method === 'roots/list' ? LETTER.roots : undefined;
}
