/**
 * What all upstreams tell of changes, in one place: keeps one listener per upstream, counts which resources clients
 * want to hear of, and brings each upstream's own URIs back to those that clients know.
 */
import type { Logger } from '@database-mcp/telemetry';
import { isObject, type JsonObject } from '../protocol.ts';
import { UpstreamListener, type ListName, type ListenWish } from './listen.ts';
import type { Upstream } from './upstream.ts';

/** Where a published URI leads. */
export interface UriRoute {
  upstream: string;
  /** The URI as that upstream knows it. */
  upstreamName: string;
}

/** Options of {@link createChangeFeed}. */
export interface ChangeFeedOptions {
  /** The gateway's own version. */
  version: string;
  logger: Logger;
  route(uri: string): UriRoute | undefined;
  /** The lists of this upstream may be other ones. */
  refresh(upstream: string): void;
}

/** Takes the URI that was subscribed to, and the one that has changed: the same, or one below it. */
export type UpdateListener = (subscribed: string, changed: string) => void;

/** The changes at all upstreams. */
export interface ChangeFeed {
  /** The upstream has told what it can do; from then on it is listened to. */
  listed(upstream: Upstream, capabilities: JsonObject | undefined): void;
  /** The configuration does not name it any more. */
  gone(upstream: Upstream): void;
  /** Counts one more client that wants to hear of a resource; false: nobody tells of it. */
  subscribe(uri: string): boolean;
  unsubscribe(uri: string): void;
  /** Resolves when the upstreams have said that they will tell of these, or after a bounded time. */
  heard(uris: readonly string[]): Promise<void>;
  onUpdate(listener: UpdateListener): void;
  close(): void;
}

/** A client waits for its acknowledgement; an upstream that is slow must not hold it up for long. */
const HEARD_MS = 1_000;
/** All resources that are listened to; they travel in one request to their upstream. */
const MAX_URIS = 4_096;
const LISTS: readonly ListName[] = ['tools', 'prompts', 'resources'];

interface Source {
  upstream: Upstream;
  listener: UpstreamListener;
  lists: ReadonlySet<ListName>;
  canSubscribe: boolean;
}

interface Subscribed {
  route: UriRoute;
  count: number;
}

/** Creates a feed that listens to nobody yet. */
export function createChangeFeed(options: ChangeFeedOptions): ChangeFeed {
  return new ListeningFeed(options);
}

class ListeningFeed implements ChangeFeed {
  readonly #options: ChangeFeedOptions;
  /** By the upstream's name. */
  readonly #sources = new Map<string, Source>();
  /** By the URI that clients know. */
  readonly #subscribed = new Map<string, Subscribed>();
  readonly #listeners: UpdateListener[] = [];
  /** Upstreams that do not know yet what is to be heard of them. */
  readonly #unsaid = new Set<string>();
  #isClosed = false;

  constructor(options: ChangeFeedOptions) {
    this.#options = options;
  }

  listed(upstream: Upstream, capabilities: JsonObject | undefined): void {
    if (this.#isClosed) return;
    const before = this.#sources.get(upstream.name);
    const isSame = before?.upstream === upstream;
    if (!isSame) before?.listener.close();
    this.#sources.set(upstream.name, {
      upstream,
      listener: before && isSame ? before.listener : this.#createListener(upstream),
      lists: new Set(LISTS.filter((list) => has(capabilities, list, 'listChanged'))),
      canSubscribe: has(capabilities, 'resources', 'subscribe'),
    });
    this.#wish(upstream.name);
  }

  gone(upstream: Upstream): void {
    const source = this.#sources.get(upstream.name);
    if (source?.upstream !== upstream) return;
    source.listener.close();
    this.#sources.delete(upstream.name);
  }

  subscribe(uri: string): boolean {
    const known = this.#subscribed.get(uri);
    if (known) {
      known.count++;
      return true;
    }
    if (this.#subscribed.size >= MAX_URIS) return false;
    const route = this.#options.route(uri);
    if (!route || !this.#sources.get(route.upstream)?.canSubscribe) return false;
    this.#subscribed.set(uri, { route, count: 1 });
    this.#wish(route.upstream);
    return true;
  }

  unsubscribe(uri: string): void {
    const known = this.#subscribed.get(uri);
    if (!known || --known.count > 0) return;
    this.#subscribed.delete(uri);
    this.#wish(known.route.upstream);
  }

  async heard(uris: readonly string[]): Promise<void> {
    this.#tellWishes();
    const names = new Set(uris.map((uri) => this.#subscribed.get(uri)?.route.upstream ?? ''));
    await Promise.all([...names].map((name) => this.#sources.get(name)?.listener.heard(HEARD_MS)));
  }

  onUpdate(listener: UpdateListener): void {
    this.#listeners.push(listener);
  }

  close(): void {
    this.#isClosed = true;
    for (const { listener } of this.#sources.values()) listener.close();
  }

  #createListener(upstream: Upstream): UpstreamListener {
    const { version, logger, refresh } = this.#options;
    return new UpstreamListener({
      upstream,
      version,
      logger,
      listsChanged: () => refresh(upstream.name),
      resourceUpdated: (uri) => this.#updated(upstream.name, uri),
    });
  }

  #updated(name: string, uri: string): void {
    for (const [published, { route }] of this.#subscribed) {
      if (route.upstream !== name || !isSameOrBelow(uri, route.upstreamName)) continue;
      const changed = `${published}${uri.slice(route.upstreamName.length)}`;
      for (const listener of this.#listeners) listener(published, changed);
    }
  }

  /** One client names many resources; their upstream hears of all of them at once. */
  #wish(name: string): void {
    if (this.#unsaid.size === 0) queueMicrotask(() => this.#tellWishes());
    this.#unsaid.add(name);
  }

  #tellWishes(): void {
    for (const name of this.#unsaid) {
      const source = this.#sources.get(name);
      if (source && !this.#isClosed) source.listener.want(this.#wishOf(name, source));
    }
    this.#unsaid.clear();
  }

  #wishOf(name: string, { lists, canSubscribe }: Source): ListenWish {
    const uris = new Set<string>();
    for (const { route } of this.#subscribed.values()) if (route.upstream === name) uris.add(route.upstreamName);
    return { lists, uris: canSubscribe ? uris : new Set() };
  }
}

function has(capabilities: JsonObject | undefined, name: string, member: string): boolean {
  const capability = capabilities?.[name];
  return isObject(capability) && capability[member] === true;
}

/** A server may name what is below a resource when that is what has changed. */
function isSameOrBelow(uri: string, subscribed: string): boolean {
  if (!uri.startsWith(subscribed)) return false;
  return uri.length === subscribed.length || subscribed.endsWith('/') || uri[subscribed.length] === '/';
}
