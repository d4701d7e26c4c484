/** The `subscriptions/listen` streams at one legacy server, which tells its changes without being asked. */
import { SUBSCRIPTION_ID_META_KEY } from '@modelcontextprotocol/server';
import { isObject, type JsonObject } from '../protocol.ts';
import type { CallFailure } from '../upstream/upstream.ts';
import type { BridgedCall } from './bridged-call.ts';
import type { LegacySession } from './legacy-session.ts';
import { withMeta } from './message-text.ts';

/** Which notification is asked for with which key of a listen request. */
const LISTENED = new Map([
  ['notifications/tools/list_changed', 'toolsListChanged'],
  ['notifications/prompts/list_changed', 'promptsListChanged'],
  ['notifications/resources/list_changed', 'resourcesListChanged'],
]);

/** Those who listen, and on which session. */
export class LegacyListeners {
  readonly #sessionOf = new Map<BridgedCall, LegacySession>();

  /** Acknowledges what the server can tell, and subscribes to what it must be asked for. */
  add(call: BridgedCall, session: LegacySession): void {
    const wanted = isObject(call.asked.params['notifications']) ? call.asked.params['notifications'] : {};
    const honoured = Object.fromEntries(
      Object.entries(wanted).filter(([key, value]) => {
        const capability =
          session.capabilities[key.replace(/(ListChanged|Subscriptions)$/, '').replace(/^resource$/, 'resources')];
        const member = key.endsWith('ListChanged') ? 'listChanged' : 'subscribe';
        return isObject(capability) && capability[member] === true && value !== false;
      }),
    );
    const { idText = 'null' } = call.asked;
    const text = JSON.stringify({ notifications: honoured, _meta: {} });
    const message = `{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":${text}}`;
    call.notify(withMeta(Buffer.from(message), { [SUBSCRIPTION_ID_META_KEY]: idText }));
    this.#sessionOf.set(call, session);
    const uris = honoured['resourceSubscriptions'];
    for (const uri of Array.isArray(uris) ? uris : []) session.ask('resources/subscribe', { uri }).catch(() => {});
  }

  delete(call: BridgedCall): void {
    this.#sessionOf.delete(call);
  }

  /** Passes a notification of the server to those who want it. */
  tell(method: string, message: Buffer, parsed: JsonObject): void {
    const key = LISTENED.get(method);
    const uri =
      method === 'notifications/resources/updated' && isObject(parsed['params']) ? parsed['params']['uri'] : undefined;
    for (const call of this.#sessionOf.keys()) {
      const wanted = isObject(call.asked.params['notifications']) ? call.asked.params['notifications'] : {};
      const uris = Array.isArray(wanted['resourceSubscriptions']) ? wanted['resourceSubscriptions'] : [];
      const isWanted = key === undefined ? uris.includes(uri) : wanted[key] === true;
      if (isWanted) call.notify(withMeta(message, { [SUBSCRIPTION_ID_META_KEY]: call.asked.idText }));
    }
  }

  /** Ends those on that session, or all; whoever listened must hear of it, since changes may have been missed. */
  fail(failure: CallFailure, session?: LegacySession): void {
    for (const [call, listened] of this.#sessionOf) {
      if (session === undefined || listened === session) call.fail(failure);
    }
  }
}
