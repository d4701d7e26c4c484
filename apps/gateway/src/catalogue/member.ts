/** What the catalogue knows of one upstream: its lists, when they are due, and whether it is up. */
import type { UpstreamConfig } from '../config.ts';
import type { HubTool, ServiceState } from '../hub-tools.ts';
import type { Upstream } from '../upstream/upstream.ts';
import type { Freshness, UpstreamLists } from './fetch-lists.ts';
import { forEachKind, LIST_KINDS, type ListKind } from './kinds.ts';
import { mergeLists, type MergedList } from './merged-list.ts';

/** One upstream, and what the configuration says of it. */
export interface CatalogueMember {
  config: UpstreamConfig;
  upstream: Upstream;
}

/** An upstream in the catalogue. */
export interface Member extends CatalogueMember {
  lists?: UpstreamLists;
  fetchedAt: number;
  refreshAt: number;
  probeAt: number;
  /** Why the last attempt failed. */
  problem?: string;
  attempted: boolean;
  /** It lost names to others; told in its status. */
  hasCollision: boolean;
  inProgress?: { isFetch: boolean; done: Promise<void> };
  refreshedForNameAt: number;
  timer?: NodeJS.Timeout;
  /** The configuration does not name it any more; what is still asked of it is of no interest. */
  isGone: boolean;
}

/** For upstreams that give no ttlMs. */
export const DEFAULT_TTL_MS = 60_000;
/** While an upstream is down the list may change at any moment. */
const DOWN_TTL_MS = 5_000;
/** A ttlMs of 0 must not become a storm of requests. */
const MIN_REFRESH_MS = 5_000;
/** Timers hold 31 bits; a day is as good as for ever. */
const MAX_REFRESH_MS = 86_400_000;
/** Refreshes come up to this part of the ttl early, so that replicas do not all ask at once. */
const JITTER = 0.2;

/** An upstream of which nothing is known yet. */
export function createMember({ config, upstream }: CatalogueMember): Member {
  return {
    config,
    upstream,
    fetchedAt: -Infinity,
    refreshAt: 0,
    probeAt: 0,
    attempted: false,
    hasCollision: false,
    refreshedForNameAt: -Infinity,
    isGone: false,
  };
}

/** A server whose entry changed is still the same server at the same URL: what it listed last is not forgotten. */
export function createSuccessor(added: CatalogueMember, before: readonly Member[]): Member {
  const { name, url } = added.config;
  const former = before.find(({ config }) => config.name === name && config.url === url);
  return { ...createMember(added), lists: former?.lists, fetchedAt: former?.fetchedAt ?? -Infinity };
}

/** Whether the upstream serves, as far as is known. */
export function isUp(member: Member): boolean {
  return member.problem === undefined && member.upstream.isReachable();
}

/** The status that clients and operators see. */
export function statusOf(member: Member): ServiceState['status'] {
  if (!isUp(member)) return 'down';
  const isPartial = member.hasCollision || (member.lists?.problems.length ?? 0) > 0;
  return isPartial ? 'degraded' : 'up';
}

/** When lists that came at `now` are fetched again: by the shortest time that the upstream gave. */
export function nextRefreshAt({ freshness }: UpstreamLists, now: number): number {
  const given = LIST_KINDS.flatMap(({ kind }) => freshness[kind].ttlMs ?? []);
  const every = Math.min(MAX_REFRESH_MS, Math.max(MIN_REFRESH_MS, Math.min(...given, MAX_REFRESH_MS)));
  return now + (given.length === 0 ? DEFAULT_TTL_MS : every) * (1 - JITTER * Math.random());
}

/**
 * For how long clients may keep a merged list, and with whom they may share it (G10). An upstream's private list came
 * for the gateway's own credential there, which is one and the same for all clients; so there is one list per upstream,
 * but who may reach this gateway is the operator's decision, and the list stays private on the way out.
 */
export function mergeFreshness(
  members: readonly Member[],
  kind: ListKind | 'discover',
): { ttlMs: number; cacheScope: 'public' | 'private' } {
  const now = performance.now();
  let ttlMs = DEFAULT_TTL_MS;
  let cacheScope: 'public' | 'private' = 'public';
  for (const member of members) {
    const freshness: Freshness | undefined = member.lists?.freshness[kind];
    const remaining =
      isUp(member) && freshness ? (freshness.ttlMs ?? DEFAULT_TTL_MS) - (now - member.fetchedAt) : DOWN_TTL_MS;
    ttlMs = Math.min(ttlMs, remaining);
    if (freshness?.cacheScope === 'private') cacheScope = 'private';
  }
  return { ttlMs: Math.max(0, Math.floor(ttlMs)), cacheScope };
}

/** The merged list of these upstreams. */
export function mergeMembers(hubTools: readonly HubTool[], members: readonly Member[], pageSize: number): MergedList {
  const inputs = members.map(({ config, lists }) => ({
    name: config.name,
    prefix: config.prefix,
    rewriteUris: config.rewriteUris,
    hasResources: lists?.capabilities?.['resources'] !== undefined,
    items: lists?.items ?? forEachKind(() => []),
  }));
  return mergeLists(hubTools, inputs, pageSize);
}
