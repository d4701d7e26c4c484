/**
 * Serves one classified message, whatever brought it: the gateway's own methods are answered here, `tools/call` goes to
 * the upstream that owns the tool, what names something else of an upstream goes through `route-request.ts`. Knows nothing of sockets: an outlet takes the answer.
 */
import { closestName, JSON_RPC_ERROR } from '@database-mcp/errors';
import { KIND_OF_METHOD, type KindSpec } from '../catalogue/kinds.ts';
import type { Route, UpstreamRoute } from '../catalogue/route.ts';
import { findValue, splice } from '../json-spans.ts';
import { errorAnswer, idTextOf, quote } from './answers.ts';
import { findParamHeaderProblem, toParamHeaders } from './check-param-headers.ts';
import type { Verdict } from './classify.ts';
import { isObject, type Era, type JsonObject } from '../protocol.ts';
import { encodeHeaderValue } from './header-value.ts';
import { logFailure } from './log-failure.ts';
import { createRewritingReply } from './rewriting-reply.ts';
import { refuseMethod, routeRequest } from './route-request.ts';
import type { GatewayCore } from './gateway-core.ts';
import type { Message, Outlet } from './message.ts';

const HTTP_OK = 200;
const HTTP_BAD_REQUEST = 400;
const LOG_LEVELS = ['debug', 'info', 'notice', 'warning', 'error', 'critical', 'alert', 'emergency'];

/** Serves the message. Rejects only for faults of our own. */
export async function serveMessage(core: GatewayCore, message: Message, outlet: Outlet): Promise<void> {
  const observed = core.observer?.begin(message, outlet);
  if (!observed) return serve(core, message, outlet);
  try {
    return await serve(core, observed.message, observed.outlet);
  } catch (error) {
    observed.failed();
    throw error;
  }
}

async function serve(core: GatewayCore, message: Message, outlet: Outlet): Promise<void> {
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
      return answerRequest(core, message, verdict, outlet);
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
  const problem = call.era === 'modern' ? checkParamHeaders(message, route) : undefined;
  if (problem !== undefined) {
    const idText = idTextOf(message.bytes, message.body);
    const text = `Bad Request: the request headers and body disagree: ${problem}`;
    return outlet.send(HTTP_BAD_REQUEST, errorAnswer(idText, JSON_RPC_ERROR.HEADER_MISMATCH, text));
  }
  const upstream = core.upstreams.get(route.upstream);
  if (!upstream) throw new Error(`the route of ${call.name} leads to no upstream`);
  const reply = outlet.stream((failure) => {
    logFailure(core.logger, call.name, upstream.name, failure);
    return core.answers.callFailure(call.era, idTextOf(message.bytes, message.body), upstream.name, failure);
  });
  const request = route.upstreamName === call.name ? message : withUpstreamName(message, call.era, route.upstreamName);
  const receiver = route.special?.rewriteUris === true ? createRewritingReply(reply, upstream.name) : reply;
  const headers = call.era === 'legacy' ? withParamHeaders(message, request.headers, route) : request.headers;
  const { origin, client } = message;
  receiver.attach(
    upstream.call({ body: request.bytes, headers, origin, client, targetName: route.upstreamName }, receiver),
  );
}

/** Legacy clients know no such headers; a modern server demands them of whoever calls it. */
function withParamHeaders(
  message: Message,
  headers: Message['headers'],
  { special }: UpstreamRoute,
): Message['headers'] {
  return special?.headers ? { ...headers, ...toParamHeaders(special.headers, argumentsOf(message)) } : headers;
}

/** Why a call is refused whose headers do not repeat its arguments; only modern calls have such headers (S24). */
function checkParamHeaders(message: Message, { special }: UpstreamRoute): string | undefined {
  if (special?.headers === undefined) return undefined;
  return findParamHeaderProblem(special.headers, message.headers, argumentsOf(message));
}

function argumentsOf({ body }: Message): unknown {
  const params = isObject(body) ? body['params'] : undefined;
  return isObject(params) ? params['arguments'] : undefined;
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

async function answerRequest(
  core: GatewayCore,
  message: Message,
  request: Verdict & { kind: 'request' },
  outlet: Outlet,
): Promise<void> {
  const { era, method, params } = request;
  const idText = idTextOf(message.bytes, message.body);
  const spec = KIND_OF_METHOD.get(method);
  if (spec) return listKind(core, era, spec, params, idText, outlet);
  if (era === 'modern' && method === 'server/discover') return outlet.send(HTTP_OK, core.answers.discover(idText));
  if (era === 'modern' && method === 'subscriptions/listen' && outlet.openChannel) {
    const refusal = core.subscriptions.listen(idText, params, outlet.openChannel);
    return refusal === undefined ? undefined : outlet.send(HTTP_OK, refusal);
  }
  if (era === 'legacy' && method === 'initialize') {
    return outlet.send(HTTP_OK, core.answers.initialize(idText, params));
  }
  if (era === 'legacy' && method === 'ping') return outlet.send(HTTP_OK, core.answers.result(era, idText, {}));
  if (era === 'legacy' && method === 'logging/setLevel' && core.catalogue.capabilities.logging) {
    return outlet.send(HTTP_OK, setLogLevel(core, params, idText));
  }
  if (await routeRequest({ core, message, era, method, params, outlet })) return;
  refuseMethod(era, method, idText, outlet);
}

/** Without sessions no level outlives its request; a server's own choice of messages stays in force, as it may. */
function setLogLevel(core: GatewayCore, { level }: JsonObject, idText: string): string {
  if (typeof level === 'string' && LOG_LEVELS.includes(level)) return core.answers.result('legacy', idText, {});
  const text = `logging/setLevel needs params.level, one of ${LOG_LEVELS.join(', ')}.`;
  return errorAnswer(idText, JSON_RPC_ERROR.INVALID_PARAMS, text);
}

function listKind(
  core: GatewayCore,
  era: Era,
  { kind, method, capability }: KindSpec,
  { cursor }: JsonObject,
  idText: string,
  outlet: Outlet,
): void {
  const { capabilities, list } = core.catalogue;
  if (capability !== 'tools' && !capabilities[capability]) return refuseMethod(era, method, idText, outlet);
  const { pages } = list.kinds[kind];
  const page = cursor === undefined || typeof cursor === 'string' ? pages.get(cursor) : undefined;
  if (page) return outlet.send(HTTP_OK, core.answers.listPage(era, idText, kind, page));
  const text = 'The cursor is not valid, or the list has changed since: start again without a cursor.';
  outlet.send(HTTP_OK, errorAnswer(idText, JSON_RPC_ERROR.INVALID_PARAMS, text));
}
