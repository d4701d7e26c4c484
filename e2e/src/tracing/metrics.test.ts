import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test, type TestContext } from 'node:test';
import { freePort, startOtlpReceiver, waitFor } from '@database-mcp/testing';
import { readSamples, sampleOf, type Sample } from './prometheus-text.ts';
import { callTool, startTracedGateway, type TracedGateway } from './traced-gateway.ts';
import { startTracedUpstream, type TracedUpstream } from './traced-upstream.ts';

const OPERATION_BUCKETS = '0.01 0.02 0.05 0.1 0.2 0.5 1 2 5 10 30 60 120 300 +Inf';

interface Setup {
  gateway: TracedGateway;
  upstream: TracedUpstream;
  read(): Promise<Sample[]>;
  readText(): Promise<string>;
}

async function start(t: TestContext, env: Record<string, string> = {}): Promise<Setup> {
  const upstream = await startTracedUpstream(t, 'a_');
  const port = await freePort();
  const gateway = await startTracedGateway(t, {
    upstreams: [
      { name: 'a', url: `http://127.0.0.1:${upstream.port}/mcp`, maxConcurrency: 2, timeoutMs: 5_000 },
      { name: 'down', url: `http://127.0.0.1:${await freePort()}/mcp` },
    ],
    env: { MCP_METRICS_PORT: String(port), ...env },
  });
  const readText = async (): Promise<string> => (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  return { gateway, upstream, readText, read: async () => readSamples(await readText()) };
}

test('the metrics port gives valid Prometheus text of everything that is measured', async (t) => {
  const { gateway, readText } = await start(t);
  for (const tool of ['a_ok', 'a_fail', 'a_refuse', 'made_up_1', 'made_up_2', 'health_check']) {
    await (await callTool(gateway.url, 'modern', tool)).text();
  }
  const text = await readText();
  const samples = readSamples(text);
  const ofServer = {
    mcp_method_name: 'tools/call',
    gen_ai_operation_name: 'execute_tool',
    mcp_protocol_version: '2026-07-28',
  };
  const count = (labels: Record<string, string>): number =>
    sampleOf(samples, 'mcp_server_operation_duration_seconds_count', { ...ofServer, ...labels });
  assert.equal(count({ gen_ai_tool_name: 'a_ok' }), 1);
  assert.equal(count({ gen_ai_tool_name: 'a_fail', error_type: 'tool_error' }), 1);
  assert.equal(count({ gen_ai_tool_name: 'a_refuse' }), 1, "the caller's mistake is no error of the server");
  assert.equal(count({ gen_ai_tool_name: '_other' }), 2, 'names that no list has are one label');
  assert.equal(count({ gen_ai_tool_name: 'health_check' }), 1);
  assert.ok(!text.includes('made_up'));
  const buckets = samples
    .filter(
      ({ name, labels }) =>
        name.endsWith('server_operation_duration_seconds_bucket') && labels['gen_ai_tool_name'] === 'a_ok',
    )
    .map(({ labels }) => labels['le']);
  assert.equal(buckets.join(' '), OPERATION_BUCKETS);
  const ofClient = { ...ofServer, gen_ai_tool_name: 'a_refuse', error_type: '-32602', mcp_upstream_name: 'a' };
  assert.equal(sampleOf(samples, 'mcp_client_operation_duration_seconds_count', ofClient), 1);
  const ofA = { mcp_upstream_name: 'a' };
  assert.equal(sampleOf(samples, 'mcp_upstream_calls_limit', ofA), 2);
  assert.equal(sampleOf(samples, 'mcp_upstream_available', ofA), 1);
  assert.equal(sampleOf(samples, 'mcp_upstream_catalogue_tools', ofA), 7);
  assert.ok(sampleOf(samples, 'mcp_upstream_catalogue_age_seconds', ofA) >= 0);
  assert.equal(sampleOf(samples, 'mcp_upstream_catalogue_refreshes_total', ofA), 1);
  const ofDown = { mcp_upstream_name: 'down', error_type: 'unreachable' };
  assert.ok(sampleOf(samples, 'mcp_upstream_catalogue_refreshes_total', ofDown) >= 1);
  assert.ok(sampleOf(samples, 'mcp_result_size_bytes_sum', { gen_ai_tool_name: 'a_ok' }) > 0);
  assert.ok(sampleOf(samples, 'nodejs_eventloop_utilization_ratio', {}) <= 1);
  for (const name of ['p50', 'p99', 'max']) sampleOf(samples, `nodejs_eventloop_delay_${name}_seconds`, {});
});

const hasPromtool = spawnSync('promtool', ['--version']).status === 0;
const REASON = 'promtool is not on the PATH; the strict reader of the test above stands for it';

test('promtool check metrics finds no fault', { skip: hasPromtool ? false : REASON }, async (t) => {
  const { gateway, readText } = await start(t);
  await callTool(gateway.url, 'modern', 'a_ok');
  const checked = spawnSync('promtool', ['check', 'metrics'], { input: await readText(), encoding: 'utf8' });
  assert.equal(`${checked.stdout}${checked.stderr}`, '');
  assert.equal(checked.status, 0);
});

test('calls in progress and calls that wait are told while they are, and not afterwards', async (t) => {
  const { gateway, upstream, read } = await start(t);
  const gone = new AbortController();
  const calls = Array.from({ length: 5 }, () => callTool(gateway.url, 'modern', 'a_hang', {}, gone.signal));
  for (const call of calls) call.catch(() => {});
  const load = async (): Promise<number[]> => {
    const samples = await read();
    return ['in_flight', 'queued'].map((name) =>
      sampleOf(samples, `mcp_upstream_calls_${name}`, { mcp_upstream_name: 'a' }),
    );
  };
  await waitFor(async () => (await load()).join() === '2,3', { what: 'two calls in progress and three that wait' });
  const arrived = (): number => upstream.seen.filter(({ message }) => message.method === 'tools/call').length;
  await waitFor(() => arrived() === 2, { what: 'the two at the upstream' });
  gone.abort();
  await waitFor(async () => (await load()).join() === '0,0', { what: 'the end of all calls' });
});

test('metrics are sent by OTLP too, with the exact buckets', async (t) => {
  const receiver = await startOtlpReceiver(t);
  const { gateway } = await start(t, {
    OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
    OTEL_METRIC_EXPORT_INTERVAL: '100',
    OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip',
  });
  await callTool(gateway.url, 'modern', 'a_ok');
  const durations = await waitFor(
    () =>
      receiver.metrics
        .find(({ name }) => name === 'mcp.server.operation.duration')
        ?.points.find(({ attributes }) => attributes['gen_ai.tool.name'] === 'a_ok'),
    { what: 'the duration of the call' },
  );
  assert.equal(durations.count, 1);
  assert.equal(durations.buckets?.length, OPERATION_BUCKETS.split(' ').length);
  assert.equal(
    durations.buckets?.reduce((sum, count) => sum + count),
    1,
  );
  const exported = receiver.requests.find(({ path }) => path === '/v1/metrics');
  assert.equal(exported?.headers['content-encoding'], 'gzip');
});

test('each call has one log line that can be joined to its trace, and no line holds what it should not', async (t) => {
  const receiver = await startOtlpReceiver(t);
  const { gateway } = await start(t, {
    OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
    OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20hunter2,x-project=p',
  });
  for (const tool of ['a_ok', 'a_fail', 'a_break']) await (await callTool(gateway.url, 'modern', tool)).text();
  const span = await receiver.waitForSpan(
    'the call',
    ({ name, kind }) => name === 'tools/call a_ok' && kind === 'server',
  );
  assert.equal(receiver.requests[0]?.headers['authorization'], 'Bearer hunter2');
  await gateway.process.stop();
  const output = gateway.process.stderr();
  const lines = output
    .split('\n')
    .filter(Boolean)
    .map((line): Record<string, unknown> => JSON.parse(line));
  const calls = lines.filter(({ msg }) => msg === 'call');
  assert.deepEqual(
    calls.map(({ tool, status }) => [tool, status]),
    [
      ['a_ok', 'ok'],
      ['a_fail', 'tool_error'],
      ['a_break', '-32603'],
    ],
  );
  const { time, durationMs, bytes, ...first } = calls[0] ?? {};
  assert.match(String(time), /^\d{4}-.*Z$/);
  assert.ok(Number(durationMs) > 0 && Number(bytes) > 0);
  assert.deepEqual(first, {
    level: 30,
    service: 'database-mcp-gateway',
    tool: 'a_ok',
    upstream: 'a',
    status: 'ok',
    trace_id: span.traceId,
    span_id: span.spanId,
    msg: 'call',
  });
  assert.ok(lines.some(({ config }) => JSON.stringify(config)?.includes('"OTEL_EXPORTER_OTLP_HEADERS":"***"')));
  assert.ok(!output.includes('hunter2'));
});

test('wrong settings are told all at once, and a metrics port that is taken by its name', async (t) => {
  const upstreams = [{ name: 'a', url: 'http://127.0.0.1:1/mcp' }];
  const env = {
    OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4318',
    OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc',
    OTEL_TRACES_SAMPLER: 'sometimes',
    OTEL_TRACES_SAMPLER_ARG: '2',
    OTEL_EXPORTER_OTLP_HEADERS: 'hunter2',
    OTEL_BSP_MAX_QUEUE_SIZE: 'many',
    OTEL_RESOURCE_ATTRIBUTES: 'a',
    OTEL_SDK_DISABLED: 'yes',
    MCP_METRICS_PORT: '99999',
  };
  const failed = await startTracedGateway(t, { upstreams, env }).then(
    () => undefined,
    (error: Error) => error.message,
  );
  assert.ok(failed);
  for (const name of Object.keys(env)) assert.match(failed, new RegExp(`- ${name} .*: (?:it|only)`), name);
  assert.ok(!failed.includes('hunter2'));
  const receiver = await startOtlpReceiver(t);
  const taken = startTracedGateway(t, { upstreams, env: { MCP_METRICS_PORT: String(receiver.port) } });
  await assert.rejects(taken, /cannot listen on 127\.0\.0\.1:\d+ for metrics \(EADDRINUSE\); check MCP_METRICS_PORT\./);
});
