/** Payload keys such as `a.b`, `a[].b`, `a[0]` and `"a.b".c`: parsing, reading values, keeping or dropping parts. */
import { ApiError } from './api-error.ts';
import { field, isObject, setField } from './json.ts';
import type { Json, JsonObject } from './json.ts';

type Step = { readonly kind: 'key'; readonly key: string } | { readonly kind: 'index'; readonly index: number } | Every;
type Every = { readonly kind: 'every' };

/** A parsed payload key. */
export type JsonPath = readonly Step[];

const EVERY: Every = { kind: 'every' };
const STEP = /(?:"(?<quoted>[^"]+)"|(?<bare>[^."[\]]+))|\[(?<index>\d*)\]/y;

/** Parses a payload key, or throws the server's answer for one that is malformed. */
export function parseJsonPath(text: Json | undefined): JsonPath {
  if (typeof text !== 'string') throw ApiError.format('invalid type: expected a string as key');
  const steps: Step[] = [];
  let at = 0;
  while (at < text.length) {
    STEP.lastIndex = at;
    const groups = STEP.exec(text)?.groups;
    const key = groups?.['quoted'] ?? groups?.['bare'];
    const follows = steps.length === 0 ? '' : text[at - 1];
    if (groups === undefined || (key === undefined) !== (text[at] === '[')) break;
    if (key === undefined ? steps.length === 0 || follows === '.' : steps.length > 0 && follows !== '.') break;
    if (key !== undefined) steps.push({ kind: 'key', key });
    else steps.push(groups['index'] === '' ? EVERY : { kind: 'index', index: Number(groups['index']) });
    at = STEP.lastIndex;
    if (at === text.length) return steps;
    if (text[at] === '.') at++;
  }
  throw ApiError.format(`Invalid json path: '${text}'`);
}

/** The path to the elements of the array under the path. */
export function toElementPath(path: JsonPath): JsonPath {
  return path.at(-1)?.kind === 'every' ? path : [...path, EVERY];
}

/** All values under the path; a key does not look into arrays unless the path says so. */
export function valuesAt(value: Json, path: JsonPath): Json[] {
  let found: Json[] = [value];
  for (const step of path) {
    found = found.flatMap((item): Json[] => {
      if (step.kind === 'key') {
        const inner = isObject(item) ? field(item, step.key) : undefined;
        return inner === undefined ? [] : [inner];
      }
      if (!Array.isArray(item)) return [];
      return step.kind === 'every' ? item : item.slice(step.index, step.index + 1);
    });
  }
  return found;
}

function isSameStep(a: Step, b: Step): boolean {
  if (a.kind === 'key') return b.kind === 'key' && a.key === b.key;
  if (a.kind === 'index') return b.kind === 'index' && a.index === b.index;
  return b.kind === 'every';
}

function agree(a: JsonPath, b: JsonPath): boolean {
  return a.slice(0, b.length).every((step, i) => isSameStep(step, b[i] ?? EVERY));
}

function keep(value: Json, path: JsonPath, isKept: (path: JsonPath) => boolean): Json {
  if (Array.isArray(value)) {
    const elementPath = [...path, EVERY];
    return isKept(elementPath) ? value.map((item) => keep(item, elementPath, isKept)) : [];
  }
  if (!isObject(value)) return value;
  const kept: JsonObject = {};
  for (const [key, item] of Object.entries(value)) {
    const inner: JsonPath = [...path, { kind: 'key', key }];
    if (isKept(inner)) setField(kept, key, keep(item, inner, isKept));
  }
  return kept;
}

/** The payload with nothing but what the paths name. */
export function includePaths(payload: JsonObject, paths: readonly JsonPath[]): JsonObject {
  return keep(payload, [], (path) => paths.some((wanted) => agree(wanted, path))) as JsonObject;
}

/** The payload without what the paths name. */
export function excludePaths(payload: JsonObject, paths: readonly JsonPath[]): JsonObject {
  return keep(
    payload,
    [],
    (path) => !paths.some((dropped) => dropped.length <= path.length && agree(dropped, path)),
  ) as JsonObject;
}
