/** What a test upstream answers when it has more than tools: lists in pages, prompts, resources, completions. */
import type { ServerResponse } from 'node:http';
import { answerJson, type SeenRequest } from './test-upstream.ts';

/** The lists as source text of their items, and what is declared. */
export interface TestKinds {
  capabilities?: object;
  tools?: readonly string[];
  prompts?: readonly string[];
  resources?: readonly string[];
  resourceTemplates?: readonly string[];
  /** Further members of each list result. */
  fields?: string;
  pageSize?: number;
  /** The result of any other request, as source text. */
  answer?: (request: SeenRequest) => string;
}

const MEMBERS = new Map<string, 'tools' | 'prompts' | 'resources' | 'resourceTemplates'>([
  ['tools/list', 'tools'],
  ['prompts/list', 'prompts'],
  ['resources/list', 'resources'],
  ['resources/templates/list', 'resourceTemplates'],
]);

/** An `onRequest` of the test upstream. */
export function serveKinds(kinds: TestKinds): (request: SeenRequest, response: ServerResponse) => boolean {
  return (request, response) => {
    const { id, method = '' } = request.body;
    const send = (result: string): boolean => {
      answerJson(response, `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":${result}}`);
      return true;
    };
    if (method === 'server/discover') {
      const capabilities = kinds.capabilities ?? { tools: {}, prompts: {}, resources: {}, completions: {} };
      return send(JSON.stringify({ capabilities, supportedVersions: ['2026-07-28'] }));
    }
    const member = MEMBERS.get(method);
    if (!member) return kinds.answer ? send(kinds.answer(request)) : false;
    const size = kinds.pageSize ?? 1_000;
    const items = kinds[member] ?? [];
    const from = Number(request.body.params?.cursor ?? 0);
    const next = from + size < items.length ? `,"nextCursor":"${from + size}"` : '';
    return send(`{"${member}":[${items.slice(from, from + size).join(',')}]${next}${kinds.fields ?? ''}}`);
  };
}

/** Source text of a prompt. */
export function promptText(name: string): string {
  return `{"name":"${name}","description":"Prompt ${name}.","arguments":[{"name":"x","required":true}]}`;
}

/** Source text of a resource. */
export function resourceText(uri: string): string {
  return `{"uri":"${uri}","name":"r"}`;
}

/** Source text of a resource template. */
export function templateText(uriTemplate: string): string {
  return `{"uriTemplate":"${uriTemplate}","name":"t"}`;
}
