/**
 * Keeps what the upstreams offer: fetches their lists at the start and in the background, watches their health, and
 * holds the merged list. An upstream that is down keeps its last list; nothing here ever waits in a client's way,
 * except the one refresh for a name that is not known.
 */
import { LOG_FIELD, type Logger } from '@database-mcp/telemetry';
import { withoutCredentials } from '../config.ts';
import type { JsonObject } from '../protocol.ts';
import type { HubTool, ServiceState } from '../hub-tools.ts';
import type { Upstream } from '../upstream/upstream.ts';
import { mergeCapabilities, type SharedCapabilities } from './capabilities.ts';
import { fetchLists, probeUpstream, type FetchOutcome } from './fetch-lists.ts';
import { mergeInstructions } from './instructions.ts';
import type { ListKind } from './kinds.ts';
import type { ListStore } from './list-store.ts';
import {
  createMember,
  createSuccessor,
  isUp,
  mergeFreshness,
  mergeMembers,
  nextRefreshAt,
  statusOf,
  type CatalogueMember,
  type Member,
} from './member.ts';
import { describeCollision, findChangedKinds, type Collision, type MergedList } from './merged-list.ts';

export type { CatalogueMember } from './member.ts';

/** What clients see of all upstreams at this moment. */
export interface Catalogue {
  readonly list: MergedList;
  readonly instructions: string;
  /** What the configured upstreams declared last, together. */
  readonly capabilities: SharedCapabilities;
  /** Fetches the first lists (waiting a bounded time), then keeps them fresh. Rejects if published names collide. */
  start(): Promise<void>;
  /** For how long clients may keep a list, and with whom they may share it. */
  freshness(kind: ListKind | 'discover'): { ttlMs: number; cacheScope: 'public' | 'private' };
  /** Asks the upstream whose prefix the unknown name has once more, rarely. Tells which upstream that was. */
  refreshFor(name: string): Promise<UnknownName>;
  /** Fetches the lists of this upstream anew: it said that they have changed. */
  refresh(upstream: string): void;
  /** Whether this upstream completes arguments. */
  hasCompletions(upstream: string): boolean;
  states(): ServiceState[];
  /** Every upstream was asked once, whatever came of it. */
  isAttempted(): boolean;
  /**
   * Replaces the upstreams; those that are the same objects keep their lists. Waits a bounded time for the lists of the
   * new ones, then switches at once. Rejects if published names collide, and then nothing has changed.
   */
  setUpstreams(upstreams: readonly CatalogueMember[], onSwitch: () => void): Promise<void>;
  /** Called whenever merged lists are other ones, after the start, with their kinds. */
  onChange(listener: ChangeListener): void;
  /** Ends the requests in the background; resolves when the last lists are kept. */
  close(): Promise<void>;
}

/** What is known of a name that is not in the table. `no-list`: its upstream never gave a list. */
export type UnknownName = { kind: 'unknown' } | { kind: 'no-list'; upstream: string };

/** Takes the kinds of lists that have changed. */
export type ChangeListener = (kinds: ReadonlySet<ListKind>) => void;

/** Options of {@link createCatalogue}. */
export interface CatalogueOptions {
  version: string;
  upstreams: readonly CatalogueMember[];
  createHubTools: (listStates: () => readonly ServiceState[]) => HubTool[];
  /** Items on one page of a list. */
  pageSize: number;
  /** Where the last lists are kept between runs, if anywhere. */
  store?: ListStore;
  /** Told of each upstream that has listed, and of those that the configuration does not name any more. */
  observer?: ListObserver;
  /** Takes notice of each fetch of lists. */
  beginRefresh?: (upstream: Upstream) => ObservedRefresh;
  logger: Logger;
}

/** A fetch of the lists of an upstream that somebody takes notice of. */
export interface ObservedRefresh {
  /** To be asked in place of the upstream. */
  upstream: Upstream;
  end(outcome: FetchOutcome<unknown>): void;
}

/** Takes what upstreams declare. */
export interface ListObserver {
  listed(upstream: Upstream, capabilities: JsonObject | undefined): void;
  gone(upstream: Upstream): void;
}

/** Two upstreams (or one and the gateway) publish the same name: the configuration must be mended. */
export class CollisionError extends Error {
  constructor(collisions: readonly Collision[]) {
    super(`gateway.yaml: names collide:\n${collisions.map((each) => `  - ${describeCollision(each)}`).join('\n')}`);
    this.name = 'CollisionError';
  }
}

/** How often each upstream is looked after; one that is down is asked each time, so it is back within two seconds. */
const TICK_MS = 1_000;
/** How often an upstream that is up, and whose list is fresh, is asked for a sign of life. */
const PROBE_EVERY_MS = 2_000;
/** The start waits this long for the first lists; a server that hangs must not hold up the others. */
const FIRST_LISTS_MS = 2_000;
/** Unknown names cause at most one refresh of an upstream in this time, or they would be an amplifier. */
const REFRESH_FOR_NAME_MS = 5_000;
/** A call of an unknown name waits this long for that refresh at most. */
const WAIT_FOR_NAME_MS = 1_000;

/** Creates the catalogue; it is empty until it is started. */
export function createCatalogue(options: CatalogueOptions): Catalogue {
  return new RefreshingCatalogue(options);
}

class RefreshingCatalogue implements Catalogue {
  readonly #options: CatalogueOptions;
  #members: Member[];
  readonly #hubTools: HubTool[];
  readonly #listeners: ChangeListener[] = [];
  #isStarting = true;
  #isClosed = false;
  #told = new Set<string>();
  list: MergedList;
  instructions: string;
  capabilities: SharedCapabilities = mergeCapabilities([]);

  constructor(options: CatalogueOptions) {
    this.#options = options;
    this.#members = options.upstreams.map(createMember);
    this.#hubTools = options.createHubTools(() => this.states());
    this.list = mergeMembers(this.#hubTools, [], options.pageSize);
    this.instructions = mergeInstructions(this.#members.map(({ config }) => config));
  }

  async start(): Promise<void> {
    await this.#recall(this.#members);
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
    await this.#recall(added.filter(({ lists }) => lists === undefined));
    await atMost(FIRST_LISTS_MS, Promise.all(added.map((member) => this.#refresh(member))));
    try {
      if (this.#isClosed) throw new Error('the gateway is ending');
      refuseCollisions(mergeMembers(this.#hubTools, next, this.#options.pageSize));
    } catch (error) {
      for (const member of added) member.isGone = true;
      throw error;
    }
    this.#members = next;
    for (const member of before) {
      if (next.includes(member)) continue;
      unwatch(member);
      this.#options.observer?.gone(member.upstream);
    }
    for (const member of added) {
      // One that hangs is no reason to take the whole gateway out of service.
      member.attempted = true;
      this.#watch(member);
      if (member.lists) this.#options.observer?.listed(member.upstream, member.lists.capabilities);
    }
    onSwitch();
    this.#merge();
  }

  onChange(listener: ChangeListener): void {
    this.#listeners.push(listener);
  }

  close(): Promise<void> {
    this.#isClosed = true;
    for (const member of this.#members) unwatch(member);
    return this.#options.store?.settled() ?? Promise.resolve();
  }

  freshness(kind: ListKind | 'discover'): { ttlMs: number; cacheScope: 'public' | 'private' } {
    return mergeFreshness(this.#members, kind);
  }

  async refreshFor(name: string): Promise<UnknownName> {
    const member = this.#memberFor(name);
    if (!member) return { kind: 'unknown' };
    const now = performance.now();
    if (now - member.refreshedForNameAt >= REFRESH_FOR_NAME_MS) {
      member.refreshedForNameAt = now;
      if (isUp(member)) await atMost(WAIT_FOR_NAME_MS, this.#refresh(member));
    }
    return member.lists ? { kind: 'unknown' } : { kind: 'no-list', upstream: member.config.name };
  }

  refresh(upstream: string): void {
    const member = this.#members.find(({ config }) => config.name === upstream);
    if (!member) return;
    // What is being fetched may be from before the change.
    void (member.inProgress?.done ?? Promise.resolve()).then(() => this.#refresh(member));
  }

  hasCompletions(upstream: string): boolean {
    const member = this.#members.find(({ config }) => config.name === upstream);
    return member?.lists?.capabilities?.['completions'] !== undefined;
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
  #memberFor(name: string): Member | undefined {
    const candidates = this.#members.filter(({ config }) => name.startsWith(config.prefix));
    return candidates.toSorted((a, b) => b.config.prefix.length - a.config.prefix.length)[0];
  }

  /** What upstreams listed in an earlier run, until they list it anew. */
  async #recall(members: readonly Member[]): Promise<void> {
    const { store } = this.#options;
    if (!store) return;
    for (const member of members) member.lists = await store.load(member.config);
    this.#merge();
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
    const refresh = this.#options.beginRefresh?.(member.upstream);
    const outcome = await fetchLists(refresh?.upstream ?? member.upstream, this.#options.version, member.lists);
    refresh?.end(outcome);
    const now = performance.now();
    member.attempted = true;
    member.probeAt = now + PROBE_EVERY_MS;
    this.#noteState(member, outcome.kind === 'failed' ? outcome.reason : undefined);
    if (outcome.kind === 'failed') return;
    member.lists = outcome.value;
    member.fetchedAt = now;
    member.refreshAt = nextRefreshAt(outcome.value, now);
    if (!member.isGone) this.#options.store?.save(member.config, outcome.value);
    this.#merge();
    if (this.#members.includes(member)) this.#options.observer?.listed(member.upstream, outcome.value.capabilities);
  }

  #merge(): void {
    const merged = mergeMembers(this.#hubTools, this.#members, this.#options.pageSize);
    const changed = findChangedKinds(this.list, merged);
    this.list = merged;
    this.capabilities = mergeCapabilities(this.#members.map(({ lists }) => lists?.capabilities));
    this.instructions = mergeInstructions(
      this.#members.map(({ config, lists }) => ({ ...config, instructions: lists?.instructions })),
    );
    for (const member of this.#members) {
      member.hasCollision = merged.collisions.some((collision) => collision.second === member.config.name);
    }
    if (this.#isStarting) return;
    this.#report();
    if (changed.size > 0) for (const listener of this.#listeners) listener(changed);
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

function unwatch(member: Member): void {
  member.isGone = true;
  clearInterval(member.timer);
}

/** Only between two owners: what one upstream doubles is its own business, and logged. */
function refuseCollisions(list: MergedList): void {
  const collisions = list.collisions.filter(({ first: owner, second }) => owner !== second);
  if (collisions.length > 0) throw new CollisionError(collisions);
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
