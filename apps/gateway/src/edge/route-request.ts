/**
 * Routes requests that name something of an upstream other than a tool: prompts, resources and what completes their
 * arguments. Like calls of tools they pass as bytes, with only a name or URI replaced where it is published otherwise;
 * so `inputResponses` and `requestState` of unfinished requests pass as they are (G25).
 */
import { closestName, JSON_RPC_ERROR } from '@database-mcp/errors';
import type { MergedKind } from '../catalogue/merged-list.ts';
import type { UpstreamRoute } from '../catalogue/route.ts';
import { findValue, splice } from '../json-spans.ts';
import { errorAnswer, idTextOf, quote } from './answers.ts';
import { capCompletion } from './cap-completion.ts';
import { isObject, type Era, type JsonObject } from '../protocol.ts';
import { encodeHeaderValue } from './header-value.ts';
import { logFailure } from './log-failure.ts';
import { createNotFoundReply } from './not-found-reply.ts';
import { createChangingReply, createRewritingReply, type ChangeMessage } from './rewriting-reply.ts';
import type { Message, Outlet } from './message.ts';
import type { GatewayCore } from './gateway-core.ts';

/** A request on its way to its upstream. */
export interface RoutedRequest {
  core: GatewayCore;
  message: Message;
  era: Era;
  method: string;
  params: JsonObject;
  outlet: Outlet;
}

const HTTP_OK = 200;
const HTTP_NOT_FOUND = 404;
const NO_VALUES = { completion: { values: [], total: 0, hasMore: false } };

/** The methods that are routed here. */
const ROUTED: ReadonlyMap<string, (request: RoutedRequest) => Promise<void> | void> = new Map([
  ['prompts/get', getPrompt],
  ['resources/read', readResource],
  ['resources/subscribe', subscribeResource],
  ['resources/unsubscribe', subscribeResource],
  ['completion/complete', complete],
]);

/** Serves the request if its method is routed here; false otherwise. */
export async function routeRequest(request: RoutedRequest): Promise<boolean> {
  const serve = ROUTED.get(request.method);
  if (!serve) return false;
  await serve(request);
  return true;
}

/** There is no such method, or nothing behind the gateway has the capability that it belongs to. */
export function refuseMethod(era: Era, method: string, idText: string, outlet: Outlet): void {
  const text = `There is no method ${quote(method)} here.`;
  const status = era === 'modern' ? HTTP_NOT_FOUND : HTTP_OK;
  outlet.send(status, errorAnswer(idText, JSON_RPC_ERROR.METHOD_NOT_FOUND, text));
}

async function getPrompt(request: RoutedRequest): Promise<void> {
  const { catalogue } = request.core;
  if (!catalogue.capabilities.prompts) return refuse(request);
  const { name } = request.params;
  if (typeof name !== 'string') return invalid(request, 'prompts/get needs params.name, the name of a prompt.');
  const route = catalogue.list.kinds.prompts.routes.get(name);
  if (route) return forward(request, route, ['params', 'name']);
  // The name may be newer than the list.
  const unknown = await catalogue.refreshFor(name);
  const { prompts } = catalogue.list.kinds;
  const found = prompts.routes.get(name);
  if (found) return forward(request, found, ['params', 'name']);
  if (unknown.kind === 'unknown') return invalid(request, describeUnknownPrompt(name, prompts));
  const { core, message, outlet } = request;
  const idText = idTextOf(message.bytes, message.body);
  outlet.send(HTTP_OK, core.answers.requestFailure(idText, unknown.upstream, { kind: 'unreachable' }));
}

function describeUnknownPrompt(name: string, prompts: MergedKind): string {
  const closest = closestName(name, prompts.routes.keys());
  const hint = closest === undefined ? 'prompts/list names the prompts there are.' : `Did you mean ${closest}?`;
  return `There is no prompt ${quote(name)}. ${hint}`;
}

function readResource(request: RoutedRequest): void {
  const { catalogue } = request.core;
  if (!catalogue.capabilities.resources) return refuse(request);
  const { uri } = request.params;
  if (typeof uri !== 'string') return invalid(request, `${request.method} needs params.uri, the URI of a resource.`);
  const route = catalogue.list.uris.route(uri);
  if (route) return forward(request, route, ['params', 'uri']);
  const text = `There is no resource ${quote(uri)}. resources/list and resources/templates/list name what there is.`;
  invalid(request, text, { uri });
}

/** Of the revisions that begin with `initialize`; later ones have `subscriptions/listen`. */
function subscribeResource(request: RoutedRequest): void {
  if (request.era === 'modern' || !request.core.catalogue.capabilities.subscribe) return refuse(request);
  readResource(request);
}

function complete(request: RoutedRequest): void {
  const { capabilities, list } = request.core.catalogue;
  if (!capabilities.completions) return refuse(request);
  const { ref } = request.params;
  if (isObject(ref) && ref['type'] === 'ref/prompt' && typeof ref['name'] === 'string') {
    const route = list.kinds.prompts.routes.get(ref['name']);
    if (!route) return invalid(request, describeUnknownPrompt(ref['name'], list.kinds.prompts));
    return completeAt(request, route, 'name');
  }
  if (isObject(ref) && ref['type'] === 'ref/resource' && typeof ref['uri'] === 'string') {
    const route = list.kinds.resourceTemplates.routes.get(ref['uri']) ?? list.uris.route(ref['uri']);
    if (route) return completeAt(request, route, 'uri');
    const text = `There is no resource template ${quote(ref['uri'])}. resources/templates/list names what there is.`;
    return invalid(request, text);
  }
  invalid(request, 'completion/complete needs params.ref: a ref/prompt with a name, or a ref/resource with a uri.');
}

/** The gateway promises completions when any upstream has them; one that has none has no suggestions. */
function completeAt(request: RoutedRequest, route: UpstreamRoute, key: string): void {
  const { core, message, era, outlet } = request;
  if (core.catalogue.hasCompletions(route.upstream)) {
    return forward(request, route, ['params', 'ref', key], capCompletion);
  }
  outlet.send(HTTP_OK, core.answers.result(era, idTextOf(message.bytes, message.body), NO_VALUES));
}

function forward(request: RoutedRequest, route: UpstreamRoute, path: readonly string[], change?: ChangeMessage): void {
  const { core, message, outlet, method } = request;
  const upstream = core.upstreams.get(route.upstream);
  if (!upstream) throw new Error(`the route of ${method} leads to no upstream`);
  const reply = outlet.stream((failure) => {
    logFailure(core.logger, method, upstream.name, failure);
    return core.answers.requestFailure(idTextOf(message.bytes, message.body), upstream.name, failure);
  });
  const understood = request.era === 'modern' && method === 'resources/read' ? createNotFoundReply(reply) : reply;
  const changed = change ? createChangingReply(understood, change) : understood;
  const receiver = route.special?.rewriteUris === true ? createRewritingReply(changed, upstream.name) : changed;
  const sent = { ...toUpstreamRequest(request, route.upstreamName, path), client: message.client };
  receiver.attach(upstream.call({ ...sent, origin: message.origin, targetName: route.upstreamName }, receiver));
}

/** Only the name or URI changes, every other byte stays as the client wrote it. */
function toUpstreamRequest(
  { message, era }: RoutedRequest,
  upstreamName: string,
  path: readonly string[],
): { body: Buffer; headers: Readonly<Record<string, string>> } {
  const span = findValue(message.bytes, ...path);
  if (!span) throw new Error(`${path.join('.')} was parsed but not found in the source text`);
  const text = message.bytes.toString('utf8', span.start, span.end);
  if (JSON.parse(text) === upstreamName) return { body: message.bytes, headers: message.headers };
  const body = splice(message.bytes, span, JSON.stringify(upstreamName));
  const hasNameHeader = era === 'modern' && message.headers['mcp-name'] !== undefined;
  if (!hasNameHeader) return { body, headers: message.headers };
  return { body, headers: { ...message.headers, 'mcp-name': encodeHeaderValue(upstreamName) } };
}

function refuse({ era, method, message, outlet }: RoutedRequest): void {
  refuseMethod(era, method, idTextOf(message.bytes, message.body), outlet);
}

function invalid({ message, outlet }: RoutedRequest, text: string, data?: object): void {
  const idText = idTextOf(message.bytes, message.body);
  outlet.send(HTTP_OK, errorAnswer(idText, JSON_RPC_ERROR.INVALID_PARAMS, text, data));
}
