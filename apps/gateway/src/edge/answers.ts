/** The JSON text of answers that the gateway gives itself, in the form of each era. */
import { SERVER_INFO_META_KEY } from '@modelcontextprotocol/server';
import { toErrorResult, toErrorText, toJsonRpcError, JSON_RPC_ERROR, type Failure } from '@database-mcp/errors';
import type { Catalogue } from '../catalogue/catalogue.ts';
import { toServerCapabilities } from '../catalogue/capabilities.ts';
import type { ListKind } from '../catalogue/kinds.ts';
import type { ListPage } from '../catalogue/merged-list.ts';
import type { HubTool } from '../hub-tools.ts';
import { findValue } from '../json-spans.ts';
import { describeFailure, isProtocolFault, type CallFailure } from '../upstream/upstream.ts';
import { isLegacyVersion, isObject, LEGACY_VERSIONS, MODERN_VERSION, type Era, type JsonObject } from '../protocol.ts';

/** Who answers: the gateway's own name and version. */
export interface ServerInfo {
  name: string;
  title: string;
  version: string;
}

/** The request's id as it stands in the source text (a number beyond 2^53 keeps its digits), or `null`. */
export function idTextOf(bytes: Buffer, body: unknown): string {
  const id = isObject(body) ? body['id'] : undefined;
  if (typeof id === 'string' || Number.isSafeInteger(id)) return JSON.stringify(id);
  if (typeof id !== 'number' || !Number.isInteger(id)) return 'null';
  const span = findValue(bytes, 'id');
  return span ? bytes.toString('utf8', span.start, span.end) : 'null';
}

/** Names that clients made up are told back, but not at any length. */
const MAX_QUOTED_CHARS = 100;

/** A client's text in quotes, cut if it is long. */
export function quote(text: string): string {
  return JSON.stringify(text.length <= MAX_QUOTED_CHARS ? text : `${text.slice(0, MAX_QUOTED_CHARS)}…`);
}

/** An error answer. */
export function errorAnswer(idText: string, code: number, message: string, data?: unknown): string {
  return JSON.stringify(toJsonRpcError(null, code, message, data)).replace('"id":null', () => `"id":${idText}`);
}

/** The revision in which `initialize` is answered. */
export function agreedVersion(requested: unknown): string {
  return typeof requested === 'string' && isLegacyVersion(requested) ? requested : LEGACY_VERSIONS[0];
}

/** Builds the answers of one gateway. */
export interface Answers {
  result(era: Era, idText: string, result: JsonObject): string;
  initialize(idText: string, params: JsonObject): string;
  discover(idText: string): string;
  listPage(era: Era, idText: string, kind: ListKind, page: ListPage): string;
  hubTool(era: Era, idText: string, tool: HubTool): string;
  /** A call that failed at an upstream. */
  callFailure(era: Era, idText: string, upstream: string, failure: CallFailure): string;
  /** Another request that failed at an upstream. */
  requestFailure(idText: string, upstream: string, failure: CallFailure): string;
}

/** Creates the answers over the catalogue's current state. */
export function createAnswers(serverInfo: ServerInfo, catalogue: Catalogue): Answers {
  const modernFields = { resultType: 'complete', _meta: { [SERVER_INFO_META_KEY]: serverInfo } };
  const modernTail = JSON.stringify(modernFields).slice(1, -1);
  const result = (era: Era, idText: string, value: JsonObject): string => {
    const text = JSON.stringify(era === 'modern' ? { ...value, ...modernFields } : value);
    return `{"jsonrpc":"2.0","id":${idText},"result":${text}}`;
  };
  const errorResult = (era: Era, idText: string, failure: Failure): string =>
    result(era, idText, { ...toErrorResult(failure) });
  return {
    result,
    initialize: (idText, params) => {
      const requested = params['protocolVersion'];
      if (typeof requested !== 'string') {
        return errorAnswer(idText, JSON_RPC_ERROR.INVALID_PARAMS, 'initialize needs params.protocolVersion, a string.');
      }
      return result('legacy', idText, {
        protocolVersion: agreedVersion(requested),
        capabilities: toServerCapabilities(catalogue.capabilities, 'legacy'),
        serverInfo,
        instructions: catalogue.instructions,
      });
    },
    discover: (idText) =>
      result('modern', idText, {
        supportedVersions: [MODERN_VERSION],
        capabilities: toServerCapabilities(catalogue.capabilities, 'modern'),
        instructions: catalogue.instructions,
        ...catalogue.freshness('discover'),
      }),
    // A text, not bytes: it leaves in one write with the headers.
    listPage: (era, idText, kind, page) => {
      const head = `{"jsonrpc":"2.0","id":${idText},"result":{${page.fields}`;
      if (era === 'legacy') return `${head}}}`;
      const { ttlMs, cacheScope } = catalogue.freshness(kind);
      return `${head},"ttlMs":${ttlMs},"cacheScope":"${cacheScope}",${modernTail}}}`;
    },
    hubTool: (era, idText, tool) => {
      const structuredContent = tool.run();
      const content = [{ type: 'text', text: JSON.stringify(structuredContent) }];
      return result(era, idText, { content, structuredContent });
    },
    callFailure: (era, idText, upstream, failure) => {
      const described = describeFailure(upstream, failure);
      if (!isProtocolFault(failure)) return errorResult(era, idText, described);
      return errorAnswer(idText, JSON_RPC_ERROR.INTERNAL_ERROR, toErrorText(described));
    },
    requestFailure: (idText, upstream, failure) =>
      errorAnswer(idText, JSON_RPC_ERROR.INTERNAL_ERROR, toErrorText(describeFailure(upstream, failure))),
  };
}
