/**
 * Keeps what the upstreams offer: fetches their lists at the start and in the background, watches their health, and
 * holds the merged list. An upstream that is down keeps its last list; nothing here ever waits in a client's way,
 * except the one refresh for a name that is not known.
 */
import { LOG_FIELD, type Logger } from '@database-mcp/telemetry';
import { withoutCredentials, type UpstreamConfig } from '../config.ts';
import type { HubTool, ServiceState } from '../hub-tools.ts';
import type { Upstream } from '../upstream/upstream.ts';
import { fetchLists, probeUpstream, type UpstreamLists } from './fetch-lists.ts';
import { mergeInstructions } from './instructions.ts';
import { describeCollision, mergeLists, type Collision, type MergedList } from './merged-list.ts';

/** What clients see of all upstreams at this moment. */
export interface Catalogue {
  readonly list: MergedList;
  readonly instructions: string;
  /** Fetches the first lists (waiting a bounded time), then keeps them fresh. Rejects if published names collide. */
  start(): Promise<void>;
  /** For how long clients may keep the list, and with whom they may share it. */
  freshness(): { ttlMs: number; cacheScope: 'public' | 'private' };
  /** Asks the upstream whose prefix the unknown name has once more, rarely. Tells which upstream that was. */
  refreshFor(toolName: string): Promise<UnknownName>;
  states(): ServiceState[];
  /** Every upstream was asked once, whatever came of it. */
  isAttempted(): boolean;
  /**
   * Replaces the upstreams; those that are the same objects keep their lists. Waits a bounded time for the lists of the
   * new ones, then switches at once. Rejects if published names collide, and then nothing has changed.
   */
  setUpstreams(upstreams: readonly CatalogueMember[], onSwitch: () => void): Promise<void>;
  /** Called whenever the merged list is another one, after the start. */
  onChange(listener: () => void): void;
  close(): void;
}

/** What is known of a name that is not in the table. `no-list`: its upstream never gave a list. */
export type UnknownName = { kind: 'unknown' } | { kind: 'no-list'; upstream: string };

/** One upstream, and what the configuration says of it. */
export interface CatalogueMember {
  config: UpstreamConfig;
  upstream: Upstream;
}

/** Options of {@link createCatalogue}. */
export interface CatalogueOptions {
  version: string;
  upstreams: readonly CatalogueMember[];
  createHubTools: (listStates: () => readonly ServiceState[]) => HubTool[];
  logger: Logger;
}

/** Two upstreams (or one and the gateway) publish the same name: the configuration must be mended. */
export class CollisionError extends Error {
  constructor(collisions: readonly Collision[]) {
    super(
      `gateway.yaml: tool names collide:\n${collisions.map((each) => `  - ${describeCollision(each)}`).join('\n')}`,
    );
    this.name = 'CollisionError';
  }
}

/** For upstreams that give no ttlMs. */
const DEFAULT_TTL_MS = 60_000;
/** A ttlMs of 0 must not become a storm of requests. */
const MIN_REFRESH_MS = 5_000;
/** Timers hold 31 bits; a day is as good as for ever. */
const MAX_REFRESH_MS = 86_400_000;
/** How often each upstream is looked after; one that is down is asked each time, so it is back within two seconds. */
const TICK_MS = 1_000;
/** How often an upstream that is up, and whose list is fresh, is asked for a sign of life. */
const PROBE_EVERY_MS = 2_000;
/** Refreshes come up to this part of the ttl early, so that replicas do not all ask at once. */
const JITTER = 0.2;
/** The start waits this long for the first lists; a server that hangs must not hold up the others. */
const FIRST_LISTS_MS = 2_000;
/** Unknown names cause at most one refresh of an upstream in this time, or they would be an amplifier. */
const REFRESH_FOR_NAME_MS = 5_000;
/** A call of an unknown name waits this long for that refresh at most. */
const WAIT_FOR_NAME_MS = 1_000;
/** While an upstream is down the list may change at any moment. */
const DOWN_TTL_MS = 5_000;

interface Member {
  config: UpstreamConfig;
  upstream: Upstream;
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

/** Creates the catalogue; it is empty until it is started. */
export function createCatalogue(options: CatalogueOptions): Catalogue {
  return new RefreshingCatalogue(options);
}

class RefreshingCatalogue implements Catalogue {
  readonly #options: CatalogueOptions;
  #members: Member[];
  readonly #hubTools: HubTool[];
  readonly #listeners: (() => void)[] = [];
  #isStarting = true;
  #isClosed = false;
  #told = new Set<string>();
  list: MergedList;
  instructions: string;

  constructor(options: CatalogueOptions) {
    this.#options = options;
    this.#members = options.upstreams.map(createMember);
    this.#hubTools = options.createHubTools(() => this.states());
    this.list = mergeLists(this.#hubTools, []);
    this.instructions = mergeInstructions(this.#members.map(({ config }) => config));
  }

  async start(): Promise<void> {
    await atMost(FIRST_LISTS_MS, Promise.all(this.#members.map((member) => this.#refresh(member))));
    refuseCollisions(this.list);
    this.#isStarting = false;
    this.#report();
    for (const member of this.#members) this.#watch(member);
  }

  async setUpstreams(upstreams: readonly CatalogueMember[], onSwitch: () => void): Promise<void> {
    const before = this.#members;
    const next = upstreams.map(
      (each) => before.find((member) => member.upstream === each.upstream) ?? createSuccessor(each, before),
    );
    const added = next.filter((member) => !before.includes(member));
    await atMost(FIRST_LISTS_MS, Promise.all(added.map((member) => this.#refresh(member))));
    try {
      if (this.#isClosed) throw new Error('the gateway is ending');
      refuseCollisions(mergeMembers(this.#hubTools, next));
    } catch (error) {
      for (const member of added) member.isGone = true;
      throw error;
    }
    this.#members = next;
    for (const member of before) if (!next.includes(member)) unwatch(member);
    for (const member of added) {
      // One that hangs is no reason to take the whole gateway out of service.
      member.attempted = true;
      this.#watch(member);
    }
    onSwitch();
    this.#merge();
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  close(): void {
    this.#isClosed = true;
    for (const member of this.#members) unwatch(member);
  }

  freshness(): { ttlMs: number; cacheScope: 'public' | 'private' } {
    const now = performance.now();
    let ttlMs = DEFAULT_TTL_MS;
    let cacheScope: 'public' | 'private' = 'public';
    for (const member of this.#members) {
      const given = member.lists?.ttlMs ?? DEFAULT_TTL_MS;
      const remaining = isUp(member) && member.lists ? given - (now - member.fetchedAt) : DOWN_TTL_MS;
      ttlMs = Math.min(ttlMs, remaining);
      if (member.lists?.cacheScope === 'private') cacheScope = 'private';
    }
    return { ttlMs: Math.max(0, Math.floor(ttlMs)), cacheScope };
  }

  async refreshFor(toolName: string): Promise<UnknownName> {
    const member = this.#memberFor(toolName);
    if (!member) return { kind: 'unknown' };
    const now = performance.now();
    if (now - member.refreshedForNameAt >= REFRESH_FOR_NAME_MS) {
      member.refreshedForNameAt = now;
      if (isUp(member)) await atMost(WAIT_FOR_NAME_MS, this.#refresh(member));
    }
    return member.lists ? { kind: 'unknown' } : { kind: 'no-list', upstream: member.config.name };
  }

  states(): ServiceState[] {
    return this.#members.map((member) => ({
      name: member.config.name,
      endpoint: withoutCredentials(member.config.url),
      status: statusOf(member),
      tools: this.list.namesByUpstream.get(member.config.name) ?? [],
    }));
  }

  isAttempted(): boolean {
    return this.#members.every((member) => member.attempted);
  }

  /** The upstream with the longest prefix that the name begins with. */
  #memberFor(toolName: string): Member | undefined {
    const candidates = this.#members.filter(({ config }) => toolName.startsWith(config.prefix));
    return candidates.toSorted((a, b) => b.config.prefix.length - a.config.prefix.length)[0];
  }

  #watch(member: Member): void {
    if (!member.isGone) member.timer = setInterval(() => this.#lookAfter(member), TICK_MS);
  }

  #lookAfter(member: Member): void {
    const now = performance.now();
    if (!isUp(member) || now >= member.refreshAt) void this.#refresh(member);
    else if (now >= member.probeAt) void this.#single(member, false, () => this.#probe(member));
  }

  async #refresh(member: Member): Promise<void> {
    // A probe in progress is no list.
    if (member.inProgress?.isFetch === false) await member.inProgress.done;
    return this.#single(member, true, () => this.#fetch(member));
  }

  /** One request cycle per upstream at a time. */
  #single(member: Member, isFetch: boolean, run: () => Promise<void>): Promise<void> {
    member.inProgress ??= {
      isFetch,
      done: run()
        .catch((error: unknown) => this.#options.logger.error({ err: error }, 'looking after an upstream failed'))
        .finally(() => {
          member.inProgress = undefined;
        }),
    };
    return member.inProgress.done;
  }

  async #probe(member: Member): Promise<void> {
    const alive = await probeUpstream(member.upstream, this.#options.version);
    member.probeAt = performance.now() + PROBE_EVERY_MS;
    this.#noteState(member, alive ? undefined : 'it does not answer');
  }

  async #fetch(member: Member): Promise<void> {
    const outcome = await fetchLists(member.upstream, this.#options.version);
    const now = performance.now();
    member.attempted = true;
    member.probeAt = now + PROBE_EVERY_MS;
    this.#noteState(member, outcome.kind === 'failed' ? outcome.reason : undefined);
    if (outcome.kind === 'failed') return;
    member.lists = outcome.value;
    member.fetchedAt = now;
    const every = Math.min(MAX_REFRESH_MS, Math.max(MIN_REFRESH_MS, outcome.value.ttlMs ?? DEFAULT_TTL_MS));
    member.refreshAt = now + every * (1 - JITTER * Math.random());
    this.#merge();
  }

  #merge(): void {
    const merged = mergeMembers(this.#hubTools, this.#members);
    const changed = merged.version !== this.list.version;
    this.list = merged;
    this.instructions = mergeInstructions(
      this.#members.map(({ config, lists }) => ({ ...config, instructions: lists?.instructions })),
    );
    for (const member of this.#members) {
      member.hasCollision = merged.collisions.some((collision) => collision.second === member.config.name);
    }
    if (this.#isStarting) return;
    this.#report();
    if (changed) for (const listener of this.#listeners) listener();
  }

  /** Problems of lists are told once, not at each refresh. */
  #report(): void {
    const { logger } = this.#options;
    const errors = this.list.collisions.map((each) => `${describeCollision(each)}; the first keeps the name`);
    const skipped = this.#members.flatMap(({ config, lists }) =>
      (lists?.problems ?? []).map((problem) => `upstream ${JSON.stringify(config.name)}: left out ${problem}`),
    );
    const told = new Set([...errors, ...this.list.warnings, ...skipped]);
    for (const text of told) {
      if (this.#told.has(text)) continue;
      if (errors.includes(text)) logger.error(text);
      else logger.warn(text);
    }
    this.#told = told;
  }

  #noteState(member: Member, problem: string | undefined): void {
    if (member.isGone) return;
    const was = member.problem;
    member.problem = problem;
    const fields = { [LOG_FIELD.UPSTREAM]: member.config.name };
    if (problem === undefined) {
      member.upstream.markReachable();
      if (was !== undefined) this.#options.logger.info(fields, 'the upstream is back');
    } else if (was !== problem) {
      this.#options.logger.warn({ ...fields, problem }, 'the upstream does not serve; it is tried every second');
    }
  }
}

function createMember({ config, upstream }: CatalogueMember): Member {
  return {
    config,
    upstream,
    fetchedAt: 0,
    refreshAt: 0,
    probeAt: 0,
    attempted: false,
    hasCollision: false,
    refreshedForNameAt: -Infinity,
    isGone: false,
  };
}

/** A server whose entry changed is still the same server at the same URL: what it listed last is not forgotten. */
function createSuccessor(added: CatalogueMember, before: readonly Member[]): Member {
  const { name, url } = added.config;
  const former = before.find(({ config }) => config.name === name && config.url === url);
  return { ...createMember(added), lists: former?.lists, fetchedAt: former?.fetchedAt ?? 0 };
}

function unwatch(member: Member): void {
  member.isGone = true;
  clearInterval(member.timer);
}

function mergeMembers(hubTools: readonly HubTool[], members: readonly Member[]): MergedList {
  return mergeLists(
    hubTools,
    members.map(({ config, lists }) => ({ name: config.name, prefix: config.prefix, tools: lists?.tools ?? [] })),
  );
}

/** Only between two owners: what one upstream doubles is its own business, and logged. */
function refuseCollisions(list: MergedList): void {
  const collisions = list.collisions.filter(({ first: owner, second }) => owner !== second);
  if (collisions.length > 0) throw new CollisionError(collisions);
}

function isUp(member: Member): boolean {
  return member.problem === undefined && member.upstream.isReachable();
}

function statusOf(member: Member): ServiceState['status'] {
  if (!isUp(member)) return 'down';
  const isPartial = member.hasCollision || (member.lists?.problems.length ?? 0) > 0;
  return isPartial ? 'degraded' : 'up';
}

/** Waits for the work, but not longer than that. */
async function atMost(limitMs: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const bound = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, limitMs);
  });
  await Promise.race([work, bound]);
  clearTimeout(timer);
}
