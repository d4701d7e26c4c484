import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NO_TELEMETRY, type Attributes, type SpanOptions, type Telemetry } from '@database-mcp/telemetry';
import { gatewayFileSchema, type UpstreamConfig } from '../config.ts';
import type { CallHandle, Origin, ReplyReceiver, Upstream, UpstreamRequest } from '../upstream/upstream.ts';
import { observeUpstream } from './observed-upstream.ts';

const CONTEXT = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: '00f067aa0ba902b7', flags: 1 };

interface StartedSpan {
  options: SpanOptions;
  error?: string;
  isEnded: boolean;
}

/** Telemetry whose spans the test sees. */
function record(): { telemetry: Telemetry; spans: StartedSpan[] } {
  const spans: StartedSpan[] = [];
  const tracer = {
    start: (options: SpanOptions) => {
      const started: StartedSpan = { options, isEnded: false };
      spans.push(started);
      return {
        context: CONTEXT,
        isRecording: true,
        set: () => {},
        fail: (error: string) => {
          started.error = error;
        },
        end: () => {
          started.isEnded = true;
        },
      };
    },
  };
  return { telemetry: { ...NO_TELEMETRY, tracer }, spans };
}

/** An upstream that keeps what it was sent and answers when the test wants. */
function createFake(): { upstream: Upstream; sent: { request: UpstreamRequest; receiver: ReplyReceiver }[] } {
  const sent: { request: UpstreamRequest; receiver: ReplyReceiver }[] = [];
  const handle: CallHandle = { cancel: () => {}, resume: () => {} };
  const send = (request: UpstreamRequest, receiver: ReplyReceiver): CallHandle => {
    sent.push({ request, receiver });
    return handle;
  };
  const upstream = {
    name: 'a',
    isReachable: () => true,
    markReachable: () => {},
    call: send,
    probe: send,
    close: () => Promise.resolve(),
  };
  return { upstream, sent };
}

function configOf(entry: object): UpstreamConfig {
  const [upstream] = gatewayFileSchema.parse({ upstreams: [{ name: 'a', ...entry }] }).upstreams;
  return upstream ?? assert.fail();
}

const RECEIVER: ReplyReceiver = { start: () => {}, data: () => true, end: () => {}, failed: () => {} };
const BODY = Buffer.from('{"params":{}}');

function originOf(): Origin {
  const target = { kind: 'tool', name: 'a_query', isListed: true } as const;
  return {
    span: undefined,
    baggage: undefined,
    method: 'tools/call',
    protocolVersion: undefined,
    requestId: '1',
    target,
  };
}

const PEERS: { entry: object; expected: Attributes; why: string }[] = [
  {
    entry: { url: 'http://db:8001/mcp' },
    expected: {
      'server.address': 'db',
      'server.port': 8001,
      'network.transport': 'tcp',
      'network.protocol.name': 'http',
    },
    why: 'a port',
  },
  {
    entry: { url: 'https://user:secret@db/mcp?key=1' },
    expected: {
      'server.address': 'db',
      'server.port': 443,
      'network.transport': 'tcp',
      'network.protocol.name': 'http',
    },
    why: 'no port, credentials',
  },
  {
    entry: { command: 'server' },
    expected: {
      'server.address': undefined,
      'server.port': undefined,
      'network.transport': 'pipe',
      'network.protocol.name': undefined,
    },
    why: 'a command',
  },
];
for (const { entry, expected, why } of PEERS) {
  test(`a CLIENT span tells who is at the other end: ${why}`, () => {
    const { telemetry, spans } = record();
    const { upstream } = createFake();
    const observed = observeUpstream(upstream, configOf(entry), telemetry);
    observed.call({ body: BODY, headers: {}, origin: originOf(), targetName: 'query' }, RECEIVER);
    const { name, shared } = spans[0]?.options ?? assert.fail();
    assert.equal(name, 'tools/call query', 'the name that the upstream knows');
    for (const [key, value] of Object.entries(expected)) assert.equal(shared?.attributes[key], value, key);
    assert.equal(shared?.attributes['mcp.upstream.name'], 'a');
    assert.doesNotMatch(JSON.stringify(shared), /secret|key=1/);
  });
}

test('what belongs to nothing is passed on as it is', () => {
  const { telemetry, spans } = record();
  const { upstream, sent } = createFake();
  const observed = observeUpstream(upstream, configOf({ url: 'http://db/mcp' }), telemetry);
  const request = { body: BODY, headers: {} };
  observed.probe(request, RECEIVER, 1_000);
  assert.equal(sent[0]?.request, request);
  assert.equal(sent[0]?.receiver, RECEIVER);
  assert.equal(spans.length, 0);
});

test('a span ends once, with the first that ends the call', () => {
  const { telemetry, spans } = record();
  const { upstream, sent } = createFake();
  const observed = observeUpstream(upstream, configOf({ url: 'http://db/mcp' }), telemetry);
  const handle = observed.call({ body: BODY, headers: {}, origin: originOf() }, RECEIVER);
  handle.cancel();
  sent[0]?.receiver.failed({ kind: 'cut-off' });
  assert.deepEqual([spans[0]?.isEnded, spans[0]?.error], [true, 'cancelled']);
});
