/** What the gateway may promise to clients: what any configured upstream declared last, so that it does not flap (G08). */
import { isObject, type JsonObject } from '../edge/classify.ts';

/** The capabilities of all upstreams together. Tools are always there: the gateway has some itself. */
export interface SharedCapabilities {
  prompts: boolean;
  resources: boolean;
  /** Of resources: an upstream tells of changes of single ones. */
  subscribe: boolean;
  completions: boolean;
  logging: boolean;
}

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
  };
}

/** The capabilities object for a client; changes are promised only where they can be told. */
export function toServerCapabilities(shared: SharedCapabilities, canNotify: boolean, canSubscribe = false): JsonObject {
  const list = canNotify ? { listChanged: true } : {};
  const subscribe = canSubscribe && shared.subscribe ? { subscribe: true } : {};
  return {
    tools: list,
    ...(shared.prompts ? { prompts: list } : {}),
    ...(shared.resources ? { resources: { ...list, ...subscribe } } : {}),
    ...(shared.completions ? { completions: {} } : {}),
    ...(shared.logging ? { logging: {} } : {}),
  };
}
