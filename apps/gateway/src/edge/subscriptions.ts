/**
 * `subscriptions/listen` of 2026-07-28 (S40): each client stream first gets its own acknowledgement with what will be
 * told, then notifications under its own subscription id, and at the end the answer. Beside them the streams that
 * clients of older revisions open with GET, which are told of every list. Where changes come from is the feed's; how a
 * stream is written is the channel's.
 */
import { SERVER_INFO_META_KEY, SUBSCRIPTION_ID_META_KEY } from '@modelcontextprotocol/server';
import { JSON_RPC_ERROR } from '@database-mcp/errors';
import { errorAnswer, type ServerInfo } from './answers.ts';
import { isObject, type JsonObject } from '../protocol.ts';

/** An event stream that the gateway itself writes. */
export interface EventChannel {
  send(json: string): void;
  /** A comment, for proxies that end quiet streams. */
  keepAlive(): void;
  /** Bytes that the client has not taken yet. */
  backlog(): number;
  end(): void;
  onClose(listener: () => void): void;
}

/** Who can tell of single resources. */
export interface ResourceFeed {
  /** One more stream wants to hear of it; false: nobody can tell. */
  subscribe(uri: string): boolean;
  unsubscribe(uri: string): void;
  /** Resolves when these are really heard of, or after a bounded time. */
  heard(uris: readonly string[]): Promise<void>;
}

/** The lists whose changes can be told. */
export type ChangingList = 'tools' | 'prompts' | 'resources';

/** The streams that listen. */
export interface Subscriptions {
  /** Opens a stream, or gives the JSON text of the error. */
  listen(idText: string, params: JsonObject, openChannel: () => EventChannel): string | undefined;
  /** Opens the stream of a client of an older revision; false: there are too many. */
  openLegacy(openChannel: () => EventChannel): boolean;
  /** These lists are other ones. */
  listsChanged(lists: ReadonlySet<ChangingList>): void;
  /** A resource is another one: the URI that was subscribed to, and the one that has changed. */
  resourceUpdated(subscribed: string, changed: string): void;
  /** Ends every stream with its answer. */
  drain(): void;
}

/** Options of {@link createSubscriptions}. */
export interface SubscriptionsOptions {
  serverInfo: ServerInfo;
  keepAliveMs: number;
  /** Lists that are served at this moment, besides tools. */
  served(): { prompts: boolean; resources: boolean };
  feed: ResourceFeed;
}

/** Streams cost a connection each, whoever opened them; the SDK's own endpoint has the same limit. */
const MAX_SUBSCRIPTIONS = 1_024;
/** Resources of one stream. */
const MAX_URIS = 256;
/** A client that does not read loses its stream rather than fill the memory; it can listen again and ask. */
const MAX_BACKLOG_BYTES = 256 * 1024;

interface Subscription {
  channel: EventChannel;
  /** Undefined: a stream of an older revision, which has neither acknowledgement nor answer. */
  idText: string | undefined;
  lists: ReadonlySet<ChangingList>;
  uris: ReadonlySet<string>;
  honoured: JsonObject;
  /** What came before the acknowledgement; undefined after it. */
  early: Set<string> | undefined;
}

const ALL_LISTS: ReadonlySet<ChangingList> = new Set(['tools', 'prompts', 'resources']);

/** `params`: members of its params, each with a comma behind. */
function notification({ idText }: Subscription, method: string, params: string): string {
  if (idText === undefined) return legacyNotification(method);
  const text = `{${params}"_meta":{"${SUBSCRIPTION_ID_META_KEY}":${idText}}}`;
  return `{"jsonrpc":"2.0","method":"${method}","params":${text}}`;
}

function legacyNotification(method: string): string {
  return `{"jsonrpc":"2.0","method":"${method}"}`;
}

/** What a client of an older revision is told of a list that has changed. */
export function toListChanged(list: ChangingList): string {
  return legacyNotification(listChangedMethod(list));
}

function listChangedMethod(list: ChangingList): string {
  return `notifications/${list}/list_changed`;
}

function acknowledge(subscription: Subscription): void {
  const { channel, honoured, early } = subscription;
  if (!early) return;
  subscription.early = undefined;
  const params = `"notifications":${JSON.stringify(honoured)},`;
  channel.send(notification(subscription, 'notifications/subscriptions/acknowledged', params));
  for (const json of early) channel.send(json);
}

/** Creates the empty set of streams. */
export function createSubscriptions(options: SubscriptionsOptions): Subscriptions {
  const open = new Set<Subscription>();
  const keep = (subscription: Subscription): void => {
    const { channel, uris } = subscription;
    const keepAlive = setInterval(() => channel.keepAlive(), options.keepAliveMs);
    channel.onClose(() => {
      clearInterval(keepAlive);
      open.delete(subscription);
      for (const uri of uris) options.feed.unsubscribe(uri);
    });
    open.add(subscription);
  };
  const start = (idText: string, wanted: JsonObject, uris: readonly string[], channel: EventChannel): void => {
    const lists = findServedLists(wanted, options.served());
    const heard = uris.filter((uri) => options.feed.subscribe(uri));
    const honoured: JsonObject = Object.fromEntries([...lists].map((list) => [`${list}ListChanged`, true]));
    if (heard.length > 0) honoured['resourceSubscriptions'] = heard;
    const subscription: Subscription = { channel, idText, lists, uris: new Set(heard), honoured, early: new Set() };
    keep(subscription);
    if (heard.length === 0) acknowledge(subscription);
    else {
      void options.feed.heard(heard).then(() => {
        if (open.has(subscription)) acknowledge(subscription);
      });
    }
  };
  const tell = (subscription: Subscription, method: string, params = ''): void => {
    const json = notification(subscription, method, params);
    if (subscription.early) subscription.early.add(json);
    else if (subscription.channel.backlog() <= MAX_BACKLOG_BYTES) subscription.channel.send(json);
    else {
      open.delete(subscription);
      subscription.channel.end();
    }
  };
  return {
    listen: (idText, params, openChannel) => {
      const read = readWanted(params['notifications']);
      if ('problem' in read) return errorAnswer(idText, JSON_RPC_ERROR.INVALID_PARAMS, read.problem);
      if (open.size >= MAX_SUBSCRIPTIONS) {
        const text = `There are ${MAX_SUBSCRIPTIONS} subscriptions already; try again later, or poll tools/list.`;
        return errorAnswer(idText, JSON_RPC_ERROR.INTERNAL_ERROR, text);
      }
      start(idText, read.wanted, read.uris, openChannel());
      return undefined;
    },
    openLegacy: (openChannel) => {
      if (open.size >= MAX_SUBSCRIPTIONS) return false;
      const nothing = { idText: undefined, uris: new Set<string>(), honoured: {}, early: undefined };
      keep({ channel: openChannel(), lists: ALL_LISTS, ...nothing });
      return true;
    },
    listsChanged: (lists) => {
      for (const subscription of open) {
        for (const list of lists) {
          if (subscription.lists.has(list)) tell(subscription, listChangedMethod(list));
        }
      }
    },
    resourceUpdated: (subscribed, changed) => {
      const params = `"uri":${JSON.stringify(changed)},`;
      for (const subscription of open) {
        if (subscription.uris.has(subscribed)) tell(subscription, 'notifications/resources/updated', params);
      }
    },
    drain: () => {
      const info = `"${SERVER_INFO_META_KEY}":${JSON.stringify(options.serverInfo)}`;
      for (const subscription of open) {
        const { channel, idText } = subscription;
        acknowledge(subscription);
        const result = `{"resultType":"complete","_meta":{"${SUBSCRIPTION_ID_META_KEY}":${idText},${info}}}`;
        if (idText !== undefined) channel.send(`{"jsonrpc":"2.0","id":${idText},"result":${result}}`);
        channel.end();
      }
      open.clear();
    },
  };
}

function findServedLists(
  wanted: JsonObject,
  served: { prompts: boolean; resources: boolean },
): ReadonlySet<ChangingList> {
  const lists = new Set<ChangingList>();
  if (wanted['toolsListChanged'] === true) lists.add('tools');
  if (wanted['promptsListChanged'] === true && served.prompts) lists.add('prompts');
  if (wanted['resourcesListChanged'] === true && served.resources) lists.add('resources');
  return lists;
}

/** What a client wants to hear of, or what is wrong with how it says so. */
function readWanted(wanted: unknown): { wanted: JsonObject; uris: string[] } | { problem: string } {
  if (!isObject(wanted)) {
    return { problem: 'subscriptions/listen needs params.notifications, an object such as {"toolsListChanged":true}.' };
  }
  const uris = readUris(wanted['resourceSubscriptions']);
  if (uris) return { wanted, uris };
  return { problem: `params.notifications.resourceSubscriptions must be an array of at most ${MAX_URIS} URIs.` };
}

function readUris(value: unknown): string[] | undefined {
  if (value === undefined) return [];
  if (!Array.isArray(value) || value.length > MAX_URIS) return undefined;
  const uris = new Set<string>();
  for (const uri of value) {
    if (typeof uri !== 'string') return undefined;
    uris.add(uri);
  }
  return [...uris];
}
