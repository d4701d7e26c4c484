/**
 * `subscriptions/listen` of 2026-07-28 (S40): a stream that first says what it will tell, then tells when the list of
 * tools has changed. Nothing else can be subscribed to, since nothing else is served.
 */
import { SERVER_INFO_META_KEY, SUBSCRIPTION_ID_META_KEY } from '@modelcontextprotocol/server';
import { JSON_RPC_ERROR } from '@database-mcp/errors';
import { errorAnswer, type ServerInfo } from './answers.ts';
import { isObject, type JsonObject } from './classify.ts';

/** An event stream that the gateway itself writes. */
export interface EventChannel {
  send(json: string): void;
  /** A comment, for proxies that end quiet streams. */
  keepAlive(): void;
  end(): void;
  onClose(listener: () => void): void;
}

/** The streams that listen. */
export interface Subscriptions {
  /** Opens a stream, or gives the JSON text of the error. */
  listen(idText: string, params: JsonObject, openChannel: () => EventChannel): string | undefined;
  /** The list of tools is another one. */
  toolsChanged(): void;
  /** Ends every stream with its answer. */
  drain(): void;
}

/** Streams cost a connection each; the SDK's own endpoint has the same limit. */
const MAX_SUBSCRIPTIONS = 1_024;
/** Proxies commonly end streams that are quiet for 30 to 60 s. */
const KEEP_ALIVE_MS = 15_000;

interface Subscription {
  channel: EventChannel;
  idText: string;
  wantsTools: boolean;
}

function metaOf({ idText }: Subscription): string {
  return `"${SUBSCRIPTION_ID_META_KEY}":${idText}`;
}

function notify(subscription: Subscription, method: string, params: string): void {
  const text = `{${params}"_meta":{${metaOf(subscription)}}}`;
  subscription.channel.send(`{"jsonrpc":"2.0","method":"${method}","params":${text}}`);
}

/** Creates the empty set of streams. */
export function createSubscriptions(serverInfo: ServerInfo): Subscriptions {
  const open = new Set<Subscription>();
  return {
    listen: (idText, params, openChannel) => {
      const wanted = params['notifications'];
      if (!isObject(wanted)) {
        const text = 'subscriptions/listen needs params.notifications, an object such as {"toolsListChanged":true}.';
        return errorAnswer(idText, JSON_RPC_ERROR.INVALID_PARAMS, text);
      }
      if (open.size >= MAX_SUBSCRIPTIONS) {
        const text = `There are ${MAX_SUBSCRIPTIONS} subscriptions already; try again later, or poll tools/list.`;
        return errorAnswer(idText, JSON_RPC_ERROR.INTERNAL_ERROR, text);
      }
      const channel = openChannel();
      const subscription = { channel, idText, wantsTools: wanted['toolsListChanged'] === true };
      const keepAlive = setInterval(() => channel.keepAlive(), KEEP_ALIVE_MS);
      channel.onClose(() => {
        clearInterval(keepAlive);
        open.delete(subscription);
      });
      const honoured = subscription.wantsTools ? { toolsListChanged: true } : {};
      notify(subscription, 'notifications/subscriptions/acknowledged', `"notifications":${JSON.stringify(honoured)},`);
      open.add(subscription);
      return undefined;
    },
    toolsChanged: () => {
      for (const subscription of open) {
        if (subscription.wantsTools) notify(subscription, 'notifications/tools/list_changed', '');
      }
    },
    drain: () => {
      const info = `"${SERVER_INFO_META_KEY}":${JSON.stringify(serverInfo)}`;
      for (const subscription of open) {
        const result = `{"resultType":"complete","_meta":{${metaOf(subscription)},${info}}}`;
        subscription.channel.send(`{"jsonrpc":"2.0","id":${subscription.idText},"result":${result}}`);
        subscription.channel.end();
      }
    },
  };
}
