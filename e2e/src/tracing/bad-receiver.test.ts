import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import {
  buildRpcRequest,
  freePort,
  residentBytes,
  startOtlpReceiver,
  waitFor,
  type ReceiverMood,
} from '@database-mcp/testing';
import { createPoster } from '../gateway-process.ts';
import { readSamples, sampleOf, type Sample } from './prometheus-text.ts';
import { startTracedGateway, type TracedGateway } from './traced-gateway.ts';
import { startTracedUpstream } from './traced-upstream.ts';

const CALLS = 3_000;
const CLIENTS = 16;
const SPANS_PER_CALL = 2;
const QUEUE = 200;
const MEBIBYTE = 1024 * 1024;
/** What the calls alone need, on a machine that others use too. */
const MAX_GROWTH_MIB = 60;
/** Far less than the receiver's time, far more than a call needs. */
const SLOWEST_MS = 2_000;

async function start(
  t: TestContext,
  endpoint: string,
  env: Readonly<Record<string, string>> = {},
): Promise<TracedGateway & { metricsUrl: string }> {
  const upstream = await startTracedUpstream(t, 'a_');
  const metricsPort = await freePort();
  const gateway = await startTracedGateway(t, {
    upstreams: [{ name: 'a', url: `http://127.0.0.1:${upstream.port}/mcp` }],
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
      OTEL_METRICS_EXPORTER: 'none',
      OTEL_EXPORTER_OTLP_TIMEOUT: '500',
      OTEL_BSP_MAX_QUEUE_SIZE: String(QUEUE),
      OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '50',
      MCP_METRICS_PORT: String(metricsPort),
      // A line for each call would push out the one that is counted.
      LOG_LEVEL: 'warn',
      ...env,
    },
  });
  return { ...gateway, metricsUrl: `http://127.0.0.1:${metricsPort}/metrics` };
}

/** Calls side by side; gives the time of the slowest. */
async function callAll(t: TestContext, url: string): Promise<number> {
  const poster = createPoster();
  t.after(poster.close);
  const { headers, body } = buildRpcRequest('tools/call', { params: { name: 'a_ok' } });
  let left = CALLS;
  let slowest = 0;
  const client = async (): Promise<void> => {
    while (left-- > 0) {
      const began = performance.now();
      const answer = await poster.post(url, headers, body);
      assert.equal(answer.status, 200);
      assert.match(answer.body.toString('utf8'), /"result"/);
      slowest = Math.max(slowest, performance.now() - began);
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  return slowest;
}

function lost(samples: readonly Sample[]): number {
  const ofError = (name: string): number =>
    samples
      .filter((sample) => sample.name === name && sample.labels['error_type'] !== undefined)
      .reduce((sum, { value }) => sum + value, 0);
  return ofError('otel_sdk_processor_span_processed_total') + ofError('otel_sdk_exporter_span_exported_total');
}

const MOODS: { mood: ReceiverMood | 'down'; why: string }[] = [
  { mood: 'down', why: 'nobody listens' },
  { mood: 'silent', why: 'it never answers' },
  { mood: 'error', why: 'it answers 500' },
  { mood: 'overloaded', why: 'it answers 503' },
];
for (const { mood, why } of MOODS) {
  test(`a receiver that fails (${why}) neither slows nor fails a call, and what is lost is counted`, async (t) => {
    const receiver = mood === 'down' ? undefined : await startOtlpReceiver(t, { mood });
    const gateway = await start(t, receiver?.url ?? `http://127.0.0.1:${await freePort()}`);
    await callAll(t, gateway.url);
    const before = residentBytes(gateway.process.pid);
    const slowest = await callAll(t, gateway.url);
    assert.ok(slowest < SLOWEST_MS, `the slowest call took ${slowest} ms`);
    const grown = (residentBytes(gateway.process.pid) - before) / MEBIBYTE;
    assert.ok(grown < MAX_GROWTH_MIB, `${grown} MiB more`);
    const read = async (): Promise<number> => lost(readSamples(await (await fetch(gateway.metricsUrl)).text()));
    // What waits or is on its way is not lost yet.
    await waitFor(async () => (await read()) >= 2 * CALLS * SPANS_PER_CALL - QUEUE - 50, {
      what: 'the spans to be lost',
    });
    await gateway.process.stop();
    const lines = gateway.process.stderr().match(/spans were lost/g) ?? [];
    assert.equal(lines.length, 1, 'at most one line a minute');
  });
}

test('a receiver that comes back gets the spans of then on', async (t) => {
  const receiver = await startOtlpReceiver(t, { mood: 'error' });
  const gateway = await start(t, receiver.url);
  await callAll(t, gateway.url);
  assert.equal(receiver.spans.length, 0);
  receiver.mood = 'ok';
  const { headers, body } = buildRpcRequest('tools/call', { params: { name: 'a_fail' } });
  await fetch(gateway.url, { method: 'POST', headers, body });
  await receiver.waitForSpan('the call afterwards', ({ name }) => name === 'tools/call a_fail');
  const samples = readSamples(await (await fetch(gateway.metricsUrl)).text());
  assert.ok(sampleOf(samples, 'otel_sdk_exporter_span_exported_total', {}) > 0);
});

test('what a receiver refuses because it is overloaded is sent again', async (t) => {
  const receiver = await startOtlpReceiver(t, { mood: 'overloaded' });
  const gateway = await start(t, receiver.url);
  const { headers, body } = buildRpcRequest('tools/call', { params: { name: 'a_fail' } });
  await fetch(gateway.url, { method: 'POST', headers, body });
  await waitFor(() => receiver.requests.length > 0, { what: 'the first attempt' });
  receiver.mood = 'ok';
  await receiver.waitForSpan('the call', ({ name, kind }) => name === 'tools/call a_fail' && kind === 'server');
  assert.equal(lost(readSamples(await (await fetch(gateway.metricsUrl)).text())), 0);
});

test('a gateway that is ended sends the spans that it still has', async (t) => {
  const receiver = await startOtlpReceiver(t);
  const gateway = await start(t, receiver.url, { OTEL_BSP_SCHEDULE_DELAY: '60000' });
  const { headers, body } = buildRpcRequest('tools/call', { params: { name: 'a_ok' } });
  await fetch(gateway.url, { method: 'POST', headers, body });
  assert.equal(receiver.spans.length, 0);
  assert.deepEqual(await gateway.process.stop(), { code: 0, signal: null });
  assert.ok(receiver.spans.some(({ name, kind }) => name === 'tools/call a_ok' && kind === 'server'));
});
