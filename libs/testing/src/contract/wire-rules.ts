/** Rules about HTTP and JSON-RPC: what a request that is no right request gets, and who may ask at all. */
import assert from 'node:assert/strict';
import { buildRpcRequest, httpRequest, MODERN_VERSION, rpcRequest, toRpcAnswer } from '../http-request.ts';
import type { ContractRule, ContractSubject } from './rule.ts';

/** A version that will never exist. */
const UNKNOWN_VERSION = '1999-01-01';

async function assertHealthy({ url }: ContractSubject, path: string): Promise<void> {
  const { status, text } = await httpRequest(new URL(path, url));
  assert.equal(status, 200, `${path} answered ${status}: ${text.slice(0, 300)}`);
  assert.doesNotThrow(() => JSON.parse(text), `${path} does not answer JSON: ${text.slice(0, 300)}`);
}

/** The rules. */
export const wireRules: readonly ContractRule[] = [
  {
    rule: 'answers malformed JSON with 400 and -32700',
    why: 'JSON-RPC parse error',
    check: async ({ url }) => {
      const { headers } = buildRpcRequest('tools/list');
      const answer = toRpcAnswer(await httpRequest(url, { method: 'POST', headers, body: '{"jsonrpc":' }));
      assert.deepEqual([answer.status, answer.message?.error?.code], [400, -32700], answer.text.slice(0, 300));
    },
  },
  {
    rule: 'refuses an oversized body with 413 and a JSON-RPC error, and goes on serving',
    why: 'memory stays flat, and the client learns why',
    check: async ({ url, oversizedBodyBytes }) => {
      const { headers } = buildRpcRequest('tools/list');
      const body = `{"jsonrpc":"2.0","id":1,"method":"ping","padding":"${'x'.repeat(oversizedBodyBytes)}"}`;
      const answer = toRpcAnswer(await httpRequest(url, { method: 'POST', headers, body }));
      assert.equal(answer.status, 413, answer.text.slice(0, 300));
      assert.equal(typeof answer.message?.error?.code, 'number', `no JSON-RPC error: ${answer.text.slice(0, 300)}`);
      assert.equal((await rpcRequest(url, 'tools/list')).status, 200, 'the next request');
    },
  },
  {
    rule: 'answers an unknown protocol version with 400, -32022 and the supported ones',
    why: 'the client must be able to choose another (S12)',
    check: async ({ url }) => {
      const answer = await rpcRequest(url, 'tools/list', {
        params: { _meta: { 'io.modelcontextprotocol/protocolVersion': UNKNOWN_VERSION } },
        headers: { 'mcp-protocol-version': UNKNOWN_VERSION },
      });
      assert.deepEqual([answer.status, answer.message?.error?.code], [400, -32022], answer.text.slice(0, 300));
      const data = answer.message?.error?.data as { supported?: string[]; requested?: string } | undefined;
      assert.ok(data?.supported?.includes(MODERN_VERSION), answer.text.slice(0, 300));
      assert.equal(data?.requested, UNKNOWN_VERSION);
    },
  },
  {
    rule: 'answers headers that contradict the body with 400 and -32020',
    why: 'policy in front of the server may look at headers alone (S18)',
    check: async ({ url, expectedTools }) => {
      const params = { name: expectedTools[0], arguments: {} };
      const answer = await rpcRequest(url, 'tools/call', { params, headers: { 'mcp-name': 'another_tool' } });
      assert.deepEqual([answer.status, answer.message?.error?.code], [400, -32020], answer.text.slice(0, 300));
    },
  },
  {
    rule: 'answers an unknown method with -32601, in the modern era with 404',
    why: 'S20',
    check: async ({ url }) => {
      const modern = await rpcRequest(url, 'no/such/method');
      assert.deepEqual([modern.status, modern.message?.error?.code], [404, -32601], modern.text.slice(0, 300));
      const legacy = await rpcRequest(url, 'no/such/method', { era: 'legacy' });
      assert.equal(legacy.message?.error?.code, -32601, legacy.text.slice(0, 300));
    },
  },
  {
    rule: 'accepts a notification with 202 and an empty body',
    why: 'S16',
    check: async ({ url }) => {
      const answer = await rpcRequest(url, 'notifications/initialized', { era: 'legacy', id: null });
      assert.deepEqual([answer.status, answer.text], [202, '']);
    },
  },
  {
    rule: 'answers GET on the endpoint with 405',
    why: 'there is no session and no standing stream (S20)',
    check: async ({ url }) => {
      const { status } = await httpRequest(url, { headers: { accept: 'text/event-stream' } });
      assert.equal(status, 405);
    },
  },
  { rule: 'answers /health', why: 'liveness probes', check: (subject) => assertHealthy(subject, '/health') },
  { rule: 'answers /ready', why: 'readiness probes', check: (subject) => assertHealthy(subject, '/ready') },
  {
    rule: 'refuses a foreign Origin with 403, and serves a local one',
    why: 'web pages must not reach local servers (S17)',
    check: async ({ url }) => {
      const foreign = await rpcRequest(url, 'tools/list', { headers: { origin: 'https://evil.example' } });
      assert.equal(foreign.status, 403, foreign.text.slice(0, 300));
      const local = await rpcRequest(url, 'tools/list', { headers: { origin: 'http://localhost:3000' } });
      assert.equal(local.status, 200, local.text.slice(0, 300));
    },
  },
  {
    rule: 'refuses a foreign Host with 403',
    why: 'DNS rebinding',
    check: async ({ url }) => {
      const answer = await rpcRequest(url, 'tools/list', { headers: { host: 'evil.example' } });
      assert.equal(answer.status, 403, answer.text.slice(0, 300));
    },
  },
];
