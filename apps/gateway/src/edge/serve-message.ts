/**
 * Serves one classified message, whatever brought it: the gateway's own methods are answered here, `tools/call` goes to
 * the upstream that owns the tool. Knows nothing of sockets: an outlet takes the answer.
 */
import { closestName, JSON_RPC_ERROR } from '@database-mcp/errors';
import { LOG_FIELD, type Logger } from '@database-mcp/telemetry';
import type { Catalogue } from '../catalogue/catalogue.ts';
import type { Route } from '../catalogue/merged-list.ts';
import { findValue, splice } from '../json-spans.ts';
import type { CallFailure, CallHandle, ReplyReceiver, Upstream } from '../upstream/upstream.ts';
import { errorAnswer, idTextOf, quote, type Answers } from './answers.ts';
import type { Era, JsonObject, Verdict } from './classify.ts';
import { encodeHeaderValue } from './header-value.ts';
import type { EventChannel, Subscriptions } from './subscriptions.ts';

/** Where the answer to one message goes. Exactly one of its methods is called, once. */
export interface Outlet {
  /** A whole answer. */
  send(status: number, json: string | Buffer): void;
  /** There is no answer. */
  accept(): void;
  /** An answer that comes from an upstream; `toAnswer` makes the answer of a call that fails. */
  stream(toAnswer: (failure: CallFailure) => string): StreamedReply;
  /** A stream that the gateway itself writes; only where one request has a connection of its own. */
  openChannel?: () => EventChannel;
  /** Notifications reach this client outside of its requests. */
  readonly canNotify?: boolean;
}

/** Takes an upstream's answer, and ends the call when its client is gone. */
export interface StreamedReply extends ReplyReceiver {
  attach(call: CallHandle): void;
}

/** A message that is one request or notification. */
export interface Message {
  /** Its source text. */
  bytes: Buffer;
  body: unknown;
  verdict: Exclude<Verdict, { kind: 'batch' }>;
  /** The headers that may travel to an upstream. */
  headers: Readonly<Record<string, string>>;
}

/** What serving needs. */
export interface GatewayCore {
  catalogue: Catalogue;
  answers: Answers;
  upstreams: ReadonlyMap<string, Upstream>;
  subscriptions: Subscriptions;
  logger: Logger;
}

const HTTP_OK = 200;
const HTTP_NOT_FOUND = 404;

/** Serves the message. Rejects only for faults of our own. */
export async function serveMessage(core: GatewayCore, message: Message, outlet: Outlet): Promise<void> {
  const { verdict } = message;
  switch (verdict.kind) {
    case 'call': {
      const route = core.catalogue.list.routes.get(verdict.name);
      return route ? callTool(core, message, verdict, route, outlet) : callUnknown(core, message, verdict, outlet);
    }
    case 'no-reply':
      return outlet.accept();
    case 'reject': {
      const idText = idTextOf(message.bytes, message.body);
      return outlet.send(verdict.status, errorAnswer(idText, verdict.code, verdict.message, verdict.data));
    }
    case 'request':
      return answerRequest(core, verdict, idTextOf(message.bytes, message.body), outlet);
  }
}

interface Call {
  era: Era;
  name: string;
}

function callTool(core: GatewayCore, message: Message, call: Call, route: Route, outlet: Outlet): void {
  if (route.kind === 'hub') {
    const idText = idTextOf(message.bytes, message.body);
    return outlet.send(HTTP_OK, core.answers.hubTool(call.era, idText, route.tool));
  }
  const upstream = core.upstreams.get(route.upstream);
  if (!upstream) throw new Error(`the route of ${call.name} leads to no upstream`);
  const reply = outlet.stream((failure) => {
    logFailure(core.logger, call.name, upstream.name, failure);
    return core.answers.callFailure(call.era, idTextOf(message.bytes, message.body), upstream.name, failure);
  });
  const request = route.upstreamName === call.name ? message : withUpstreamName(message, call.era, route.upstreamName);
  reply.attach(upstream.call({ body: request.bytes, headers: request.headers }, reply));
}

/** Outages are logged once by the catalogue, not with each call. */
function logFailure(logger: Logger, tool: string, upstream: string, failure: CallFailure): void {
  const fields = {
    [LOG_FIELD.TOOL]: tool,
    [LOG_FIELD.UPSTREAM]: upstream,
    ...failure,
    [LOG_FIELD.STATUS]: failure.kind,
  };
  const level = failure.kind === 'unreachable' || failure.kind === 'busy' ? 'debug' : 'warn';
  logger[level](fields, 'a call failed at its upstream');
}

/** Only the name changes, every other byte stays as the client wrote it. */
function withUpstreamName(message: Message, era: Era, upstreamName: string): Pick<Message, 'bytes' | 'headers'> {
  const span = findValue(message.bytes, 'params', 'name');
  if (!span) throw new Error('params.name was parsed but not found in the source text');
  const bytes = splice(message.bytes, span, JSON.stringify(upstreamName));
  if (era === 'legacy') return { bytes, headers: message.headers };
  return { bytes, headers: { ...message.headers, 'mcp-name': encodeHeaderValue(upstreamName) } };
}

/** The name may be newer than the list: its upstream is asked once more (rarely), then it is an error. */
async function callUnknown(core: GatewayCore, message: Message, call: Call, outlet: Outlet): Promise<void> {
  const { catalogue, answers } = core;
  const unknown = await catalogue.refreshFor(call.name);
  const route = catalogue.list.routes.get(call.name);
  if (route) return callTool(core, message, call, route, outlet);
  const idText = idTextOf(message.bytes, message.body);
  if (unknown.kind === 'no-list') {
    const answer = answers.callFailure(call.era, idText, unknown.upstream, { kind: 'unreachable' });
    return outlet.send(HTTP_OK, answer);
  }
  const closest = closestName(call.name, catalogue.list.routes.keys());
  const hint = closest === undefined ? 'tools/list names the tools there are.' : `Did you mean ${closest}?`;
  const text = `There is no tool ${quote(call.name)}. ${hint}`;
  return outlet.send(HTTP_OK, errorAnswer(idText, JSON_RPC_ERROR.INVALID_PARAMS, text));
}

function answerRequest(
  core: GatewayCore,
  request: Verdict & { kind: 'request' },
  idText: string,
  outlet: Outlet,
): void {
  const { era, method, params } = request;
  if (method === 'tools/list') return outlet.send(HTTP_OK, listTools(core, era, params, idText));
  if (era === 'modern' && method === 'server/discover') return outlet.send(HTTP_OK, core.answers.discover(idText));
  if (era === 'modern' && method === 'subscriptions/listen' && outlet.openChannel) {
    const refusal = core.subscriptions.listen(idText, params, outlet.openChannel);
    return refusal === undefined ? undefined : outlet.send(HTTP_OK, refusal);
  }
  if (era === 'legacy' && method === 'initialize') {
    return outlet.send(HTTP_OK, core.answers.initialize(idText, params, outlet.canNotify === true));
  }
  if (era === 'legacy' && method === 'ping') return outlet.send(HTTP_OK, core.answers.result(era, idText, {}));
  const text = `There is no method ${quote(method)} here.`;
  const status = era === 'modern' ? HTTP_NOT_FOUND : HTTP_OK;
  outlet.send(status, errorAnswer(idText, JSON_RPC_ERROR.METHOD_NOT_FOUND, text));
}

function listTools(core: GatewayCore, era: Era, params: JsonObject, idText: string): string | Buffer {
  const { cursor } = params;
  const page = cursor === undefined || typeof cursor === 'string' ? core.catalogue.list.pages.get(cursor) : undefined;
  if (page) return core.answers.toolsPage(era, idText, page);
  const text = 'The cursor is not valid, or the list has changed since: start again without a cursor.';
  return errorAnswer(idText, JSON_RPC_ERROR.INVALID_PARAMS, text);
}
