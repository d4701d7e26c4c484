/** What the gateway may promise to clients: what any configured upstream declared last, so that it does not flap (G08). */
import { isDeepStrictEqual } from 'node:util';
import { isObject, type Era, type JsonObject } from '../protocol.ts';

/** The capabilities of all upstreams together. Tools are always there: the gateway has some itself. */
export interface SharedCapabilities {
  prompts: boolean;
  resources: boolean;
  /** Of resources: an upstream tells of changes of single ones. */
  subscribe: boolean;
  completions: boolean;
  logging: boolean;
  /** By name, with their settings; only those that pass from end to end. */
  extensions: JsonObject;
}

/**
 * User interfaces of tools (MCP Apps): they are plain resources, named in `_meta` of a tool, and what they do are calls
 * and reads like any other. Other extensions have methods of their own whose requests name no upstream (a task's id, a
 * skill's address), so they are not promised: see docs/bridge.md.
 */
const UI_EXTENSION = 'io.modelcontextprotocol/ui';
const RELAYED_EXTENSIONS = [UI_EXTENSION];

/** What the gateway says that it can do as a client, when it asks for the lists of a server. */
export const LISTING_CAPABILITIES = {
  extensions: { [UI_EXTENSION]: { mimeTypes: ['text/html;profile=mcp-app'] } },
};

/** The union; an upstream of which nothing is known adds nothing. */
export function mergeCapabilities(all: readonly (JsonObject | undefined)[]): SharedCapabilities {
  const has = (name: string): boolean => all.some((each) => isObject(each?.[name]));
  const subscribe = all.some((each) => isObject(each?.['resources']) && each['resources']['subscribe'] === true);
  return {
    prompts: has('prompts'),
    resources: has('resources'),
    subscribe,
    completions: has('completions'),
    logging: has('logging'),
    extensions: mergeExtensions(all),
  };
}

/** An extension on whose settings the upstreams disagree is there without any. */
function mergeExtensions(all: readonly (JsonObject | undefined)[]): JsonObject {
  const merged: JsonObject = {};
  for (const name of RELAYED_EXTENSIONS) {
    const settings = all.flatMap((each) => {
      const declared = isObject(each?.['extensions']) ? each['extensions'][name] : undefined;
      return isObject(declared) ? [declared] : [];
    });
    if (settings.length === 0) continue;
    merged[name] = settings.every((each) => isDeepStrictEqual(each, settings[0])) ? settings[0] : {};
  }
  return merged;
}

/** The capabilities object for a client: every client can be told of changed lists, on a stream that it opens. */
export function toServerCapabilities(shared: SharedCapabilities, era: Era): JsonObject {
  const list = { listChanged: true };
  // A legacy client subscribes in a request of its own, which another process may get than the one with its stream.
  const subscribe = era === 'modern' && shared.subscribe ? { subscribe: true } : {};
  return {
    tools: list,
    ...(shared.prompts ? { prompts: list } : {}),
    ...(shared.resources ? { resources: { ...list, ...subscribe } } : {}),
    ...(shared.completions ? { completions: {} } : {}),
    ...(shared.logging ? { logging: {} } : {}),
    ...(Object.keys(shared.extensions).length > 0 ? { extensions: shared.extensions } : {}),
  };
}
