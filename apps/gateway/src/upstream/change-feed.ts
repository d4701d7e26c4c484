/**
 * What all upstreams tell of changes, in one place: keeps one listener per upstream, counts which resources clients
 * want to hear of, and brings each upstream's own URIs back to those that clients know.
 */
import type { Logger } from '@database-mcp/telemetry';
import { isObject, type JsonObject } from '../edge/classify.ts';
import { UpstreamListener, type ListName } from './listen.ts';
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
  const sources = new Map<string, Source>();
  const subscribed = new Map<string, Subscribed>();
  const listeners: UpdateListener[] = [];
  let isClosed = false;

  const updated = (name: string, uri: string): void => {
    for (const [published, { route }] of subscribed) {
      if (route.upstream !== name || !isSameOrBelow(uri, route.upstreamName)) continue;
      const changed = `${published}${uri.slice(route.upstreamName.length)}`;
      for (const listener of listeners) listener(published, changed);
    }
  };
  const wish = (name: string): void => {
    const source = sources.get(name);
    if (!source) return;
    const routes = [...subscribed.values()].map(({ route }) => route);
    const uris = routes.filter(({ upstream }) => upstream === name).map(({ upstreamName }) => upstreamName);
    source.listener.want({ lists: source.lists, uris: new Set(source.canSubscribe ? uris : []) });
  };
  const createListener = (upstream: Upstream): UpstreamListener =>
    new UpstreamListener({
      upstream,
      version: options.version,
      logger: options.logger,
      listsChanged: () => options.refresh(upstream.name),
      resourceUpdated: (uri) => updated(upstream.name, uri),
    });
  return {
    listed: (upstream, capabilities) => {
      if (isClosed) return;
      const before = sources.get(upstream.name);
      const isSame = before?.upstream === upstream;
      if (!isSame) before?.listener.close();
      sources.set(upstream.name, {
        upstream,
        listener: before && isSame ? before.listener : createListener(upstream),
        lists: new Set(LISTS.filter((list) => has(capabilities, list, 'listChanged'))),
        canSubscribe: has(capabilities, 'resources', 'subscribe'),
      });
      wish(upstream.name);
    },
    gone: (upstream) => {
      const source = sources.get(upstream.name);
      if (source?.upstream !== upstream) return;
      source.listener.close();
      sources.delete(upstream.name);
    },
    subscribe: (uri) => {
      const known = subscribed.get(uri);
      if (known) {
        known.count++;
        return true;
      }
      const route = options.route(uri);
      if (!route || !sources.get(route.upstream)?.canSubscribe) return false;
      subscribed.set(uri, { route, count: 1 });
      wish(route.upstream);
      return true;
    },
    unsubscribe: (uri) => {
      const known = subscribed.get(uri);
      if (!known || --known.count > 0) return;
      subscribed.delete(uri);
      wish(known.route.upstream);
    },
    heard: async (uris) => {
      const names = new Set(uris.map((uri) => subscribed.get(uri)?.route.upstream ?? ''));
      await Promise.all([...names].map((name) => sources.get(name)?.listener.heard(HEARD_MS)));
    },
    onUpdate: (listener) => {
      listeners.push(listener);
    },
    close: () => {
      isClosed = true;
      for (const { listener } of sources.values()) listener.close();
    },
  };
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
