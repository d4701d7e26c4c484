/** Every way in which an upstream can fail, at a real gateway process: bounded in time, told by name, harmless to others. */
import assert from 'node:assert/strict';
import { readdirSync, readlinkSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { buildRpcRequest, freePort, readEvents, residentBytes, rpcRequest, waitFor } from '@database-mcp/testing';
import { FAULTS, FLOOD_BYTES, startFaultUpstream, type Fault, type FaultUpstream } from './fault-upstream.ts';
import { createPoster, startGateway, type BytesAnswer, type GatewayProcess } from './gateway-process.ts';

/** The deadline of a call at the faulty upstream, and what the machine may add to it. */
const TIMEOUT_MS = 2_000;
const MARGIN_MS = 1_000;
/** A call to a healthy upstream while another one fails: it waits for nothing of that one's. */
const OTHER_MS = TIMEOUT_MS / 2;
const MEBIBYTE = 1_024 * 1_024;
/** Pieces that wait for the garbage collector; a flood that is kept would be 100 or 200. */
const MAX_GROWTH_MIB = 90;

type Era = 'modern' | 'legacy';

/** What a client sees: an error result, an answer that is visibly cut off, or the answer. */
type Outcome = 'error' | 'cut-off' | 'answer';

const MATRIX: { fault: Fault; outcome: Outcome; says: RegExp; why: string }[] = [
  { fault: 'none', outcome: 'answer', says: /fine/, why: 'the upstream itself is well' },
  { fault: 'hang', outcome: 'error', says: /did not answer within 2000 ms/, why: 'no answer ever' },
  { fault: 'reset', outcome: 'error', says: /closed the connection|cannot be reached/, why: 'TCP reset' },
  { fault: 'close', outcome: 'error', says: /closed the connection|cannot be reached/, why: 'closed without a word' },
  { fault: 'short_json', outcome: 'error', says: /closed the connection/, why: 'nothing was passed on yet' },
  { fault: 'half_json', outcome: 'cut-off', says: /^/, why: 'what was sent cannot be taken back' },
  { fault: 'half_events', outcome: 'error', says: /closed the connection/, why: 'an event can still be added' },
  { fault: 'silent_events', outcome: 'error', says: /did not answer within 2000 ms/, why: 'a stream without an event' },
  { fault: 'html', outcome: 'error', says: /not MCP \(HTTP 200\)/, why: 'a proxy in between shows a page' },
  { fault: 'bytes', outcome: 'error', says: /./, why: 'another protocol on that port' },
  { fault: 'no_json', outcome: 'error', says: /not MCP/, why: 'it says JSON, it is none' },
  { fault: 'status_500', outcome: 'error', says: /HTTP 500/, why: 'a crash with its stack' },
  { fault: 'status_503', outcome: 'error', says: /HTTP 503/, why: 'JSON, but no JSON-RPC' },
  { fault: 'redirect', outcome: 'error', says: /HTTP 307/, why: 'never followed: it could lead anywhere' },
  { fault: 'trickle', outcome: 'cut-off', says: /^/, why: 'progress does not extend the deadline' },
  { fault: 'large_headers', outcome: 'error', says: /./, why: 'more headers than any parser admits' },
];

let faulty: FaultUpstream;
let healthy: FaultUpstream;
let gateway: GatewayProcess;
const cleanUps: (() => unknown)[] = [];
const scope = { after: (cleanUp: () => unknown) => void cleanUps.push(cleanUp) };
const poster = createPoster();

before(async () => {
  faulty = await startFaultUpstream(scope);
  healthy = await startFaultUpstream(scope);
  gateway = await startGateway(scope, [
    { name: 'faulty', url: faulty.url, timeoutMs: TIMEOUT_MS },
    { name: 'healthy', url: healthy.url },
  ]);
});
after(async () => {
  poster.close();
  for (const cleanUp of cleanUps.toReversed()) await cleanUp();
});

function call(name: string, era: Era): Promise<BytesAnswer> {
  const { headers, body } = buildRpcRequest('tools/call', { era, params: { name, arguments: {} } });
  return poster.post(gateway.url, headers, body);
}

interface Result {
  result?: { isError?: boolean; content: { text: string }[] };
  error?: unknown;
}

function readResult(answer: BytesAnswer): { isError: boolean; text: string } {
  const text = answer.body.toString('utf8');
  const isStream = answer.headers['content-type']?.startsWith('text/event-stream') ?? false;
  const messages = isStream ? readEvents(text).filter((each) => each.endsWith('}')) : [text];
  const message = JSON.parse(messages.at(-1) ?? '') as Result;
  return { isError: message.result?.isError === true, text: message.result?.content[0]?.text ?? text };
}

function assertNothingShown(answer: BytesAnswer): void {
  const text = answer.body.toString('latin1', 0, 100_000) + JSON.stringify(answer.headers);
  assert.doesNotMatch(text, /127\.0\.0\.1|localhost|ECONN|UND_ERR|secret-of-the-upstream|\n {4}at /);
  for (const { port } of [faulty, healthy]) assert.ok(!text.includes(`:${port}`), `the port is shown: ${text}`);
}

test('the matrix has a row for every fault but the flood, which is none', () => {
  assert.deepEqual([...MATRIX.map(({ fault }) => fault), 'flood'], [...FAULTS]);
});

for (const { fault, outcome, says, why } of MATRIX) {
  for (const era of ['modern', 'legacy'] as const) {
    test(`an upstream with the fault "${fault}" gives ${outcome} in bounded time, others go on (${era}: ${why})`, async () => {
      const started = performance.now();
      const failing = call(`faulty_${fault}`, era).then((answer) => ({ answer, tookMs: performance.now() - started }));
      const other = await call('healthy_faulty_none', era);
      const otherMs = performance.now() - started;
      assert.equal(readResult(other).text, 'fine');
      assert.ok(otherMs < OTHER_MS, `the other upstream took ${otherMs} ms`);
      const { answer, tookMs } = await failing;
      assert.ok(tookMs < TIMEOUT_MS + MARGIN_MS, `took ${tookMs} ms`);
      assert.equal(answer.isCutOff, outcome === 'cut-off');
      assert.equal(answer.status, 200);
      assertNothingShown(answer);
      if (outcome === 'cut-off') return;
      const { isError, text } = readResult(answer);
      assert.equal(isError, outcome === 'error', text);
      assert.match(text, says);
      if (isError) assert.match(text, /"faulty"/);
    });
  }
}

test('a result of 100 MiB passes whole, without staying in memory, while others are served', async (t) => {
  const { pid } = gateway.process;
  const before = residentBytes(pid) / MEBIBYTE;
  const flood = call('healthy_faulty_flood', 'modern');
  const state = { isOver: false };
  let [largest, others] = [0, 0];
  const over = flood.finally(() => (state.isOver = true));
  while (!state.isOver) {
    assert.equal(readResult(await call('faulty_none', 'legacy')).text, 'fine');
    others++;
    largest = Math.max(largest, residentBytes(pid) / MEBIBYTE);
  }
  const answer = await over;
  assert.equal(answer.isCutOff, false);
  assert.ok(answer.body.length > FLOOD_BYTES);
  t.diagnostic(`${before.toFixed(0)} MiB before, at most ${largest.toFixed(0)} meanwhile, ${others} other calls`);
  assert.ok(largest < before + MAX_GROWTH_MIB, `${before} MiB before, ${largest} meanwhile`);
});

function countSockets(pid: number): number {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).filter((name) => {
    try {
      return readlinkSync(`${folder}/${name}`).startsWith('socket:');
    } catch {
      return false;
    }
  }).length;
}

/** Without those that end at the deadline only, and the flood, which is no fault. */
const FAST = FAULTS.filter((fault) => !['hang', 'silent_events', 'trickle', 'flood'].includes(fault));
const CLIENTS = 10;

async function failOften(count: number): Promise<void> {
  let left = count;
  const client = async (index: number): Promise<void> => {
    for (let turn = index; left > 0; turn++) {
      left--;
      // One in fifty runs into its deadline.
      const fault = turn % 50 === 0 ? 'hang' : FAST[turn % FAST.length];
      await call(`faulty_${fault}`, turn % 2 === 0 ? 'modern' : 'legacy');
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, (_, index) => client(index)));
}

/** The gateway's sockets between two probes, when the connections are closed that are only kept for the next call. */
async function settle(pid: number, expected?: number): Promise<number> {
  poster.close();
  let sockets = 0;
  await waitFor(
    () => {
      for (const upstream of [faulty, healthy]) upstream.closeIdle();
      const earlier = sockets;
      sockets = countSockets(pid);
      return faulty.countSockets() + healthy.countSockets() === 0 && sockets === (expected ?? earlier);
    },
    { what: `the gateway to have as many sockets as before (${expected})`, deadlineMs: 5_000 },
  );
  return sockets;
}

test(
  'a thousand failed calls leave exactly as many sockets as before, and no memory',
  { skip: process.platform !== 'linux' },
  async (t) => {
    const { pid } = gateway.process;
    await failOften(200);
    const before = { sockets: await settle(pid), resident: residentBytes(pid) / MEBIBYTE };
    await failOften(1_000);
    const sockets = await settle(pid, before.sockets);
    const resident = residentBytes(pid) / MEBIBYTE;
    t.diagnostic(`sockets ${before.sockets} → ${sockets}, MiB ${before.resident.toFixed(0)} → ${resident.toFixed(0)}`);
    assert.ok(resident < before.resident + 40, `${before.resident} MiB before, ${resident} after`);
    assert.equal(readResult(await call('faulty_none', 'modern')).text, 'fine');
  },
);

test('a dead upstream fails fast by name, stays listed, and its first call after it is back succeeds', async (t) => {
  const port = await freePort();
  const first = await startFaultUpstream(t, port);
  const { url } = await startGateway(t, [
    { name: 'faulty', url: first.url },
    { name: 'healthy', url: healthy.url },
  ]);
  const callFaulty = () => rpcRequest(url, 'tools/call', { params: { name: 'faulty_none' } });
  assert.equal((await callFaulty()).message?.result?.['isError'], undefined);
  await first.stop();
  for (let turn = 0; turn < 6; turn++) {
    const started = performance.now();
    const { text } = await callFaulty();
    assert.ok(performance.now() - started < 1_000);
    assert.match(text, /\\"faulty\\".*cannot be reached|\\"faulty\\".*closed the connection/);
    assert.ok(!text.includes(String(port)), text);
  }
  const list = await rpcRequest(url, 'tools/list');
  assert.match(list.text, /"faulty_none"/);
  await startFaultUpstream(t, port);
  const back = await callFaulty();
  assert.equal(back.message?.result?.['isError'], undefined, back.text);
});

test('an upstream that was dead when the gateway started is picked up within two seconds of coming up', async (t) => {
  const port = await freePort();
  const { url } = await startGateway(t, [
    { name: 'faulty', url: `http://127.0.0.1:${port}/mcp` },
    { name: 'healthy', url: healthy.url },
  ]);
  assert.doesNotMatch((await rpcRequest(url, 'tools/list')).text, /"faulty_none"/);
  await startFaultUpstream(t, port);
  const up = performance.now();
  await waitFor(async () => (await rpcRequest(url, 'tools/list')).text.includes('"faulty_none"'), {
    what: 'its tools to be listed',
    deadlineMs: 2_000,
  });
  t.diagnostic(`listed ${Math.round(performance.now() - up)} ms after it was up`);
  const call = await rpcRequest(url, 'tools/call', { params: { name: 'faulty_none' } });
  assert.match(call.text, /fine/);
});
