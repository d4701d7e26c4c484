/** Produces load: a number of clients, each with its own connection, each sending its next request upon its answer. */
import { buildRpcRequest } from '@database-mcp/testing';
import { buildRequest, openConnection, type Answer, type HttpConnection } from './http-connection.ts';
import { percentile } from './statistics.ts';

/** What is sent, and what must come back. */
export type Workload =
  | { kind: 'call'; era: 'modern' | 'legacy'; tools: readonly string[]; textBytes: number }
  | { kind: 'list'; era: 'modern' | 'legacy'; minTools: number };

/** One stretch of load. */
export interface Job {
  url: string;
  workload: Workload;
  clients: number;
  /** Not counted, before the measured time. */
  warmUpMs: number;
  measureMs: number;
}

/** What came of it. Times in milliseconds. */
export interface JobResult {
  calls: number;
  /** Calls over the whole time, the warm-up included: what counters elsewhere have seen. */
  callsInAll: number;
  callsPerSecond: number;
  p50: number;
  p99: number;
  /** Answers that were wrong, or connections that failed. */
  errors: number;
  firstError: string | undefined;
}

/** Answers of one workload differ in their remaining ttl by a few digits, and in nothing else. */
const SIZE_TOLERANCE_BYTES = 64;
/** Wrong answers beyond this end a client: something is broken, and its rate says nothing. */
const MAX_ERRORS_PER_CLIENT = 5;
/** An answer takes milliseconds; without one for this long the measurement is void. */
const STALL_MS = 10_000;

/** Runs a job to its end. Always resolves; problems are counted. */
export async function runJob(job: Job): Promise<JobResult> {
  const tally: Tally = { latencies: [], callsInAll: 0, errors: 0, firstError: undefined };
  const measureFrom = performance.now() + job.warmUpMs;
  const until = measureFrom + job.measureMs;
  const connections: HttpConnection[] = [];
  const stalled = setTimeout(
    () => connections.forEach((connection) => connection.close()),
    job.warmUpMs + job.measureMs + STALL_MS,
  );
  await Promise.all(
    Array.from({ length: job.clients }, async (_, index) => {
      try {
        await runClient(job, index, connections, { measureFrom, until }, tally);
      } catch (error) {
        countError(tally, error instanceof Error ? error.message : String(error));
      }
    }),
  );
  clearTimeout(stalled);
  for (const connection of connections) connection.close();
  const { latencies, ...rest } = tally;
  return {
    ...rest,
    calls: latencies.length,
    callsPerSecond: latencies.length / (job.measureMs / 1_000),
    p50: percentile(latencies, 0.5),
    p99: percentile(latencies, 0.99),
  };
}

interface Tally {
  latencies: number[];
  callsInAll: number;
  errors: number;
  firstError: string | undefined;
}

async function runClient(
  job: Job,
  index: number,
  connections: HttpConnection[],
  time: { measureFrom: number; until: number },
  tally: Tally,
): Promise<void> {
  const url = new URL(job.url);
  const id = index + 1;
  const { headers, body } = describeRequest(job.workload, index, id);
  const connection = await openConnection(url, buildRequest(url, headers, body));
  connections.push(connection);
  const check = createCheck(job.workload, id);
  let errors = 0;
  for (let now = performance.now(); now < time.until && errors < MAX_ERRORS_PER_CLIENT;) {
    const answer = await connection.exchange();
    const end = performance.now();
    tally.callsInAll++;
    const problem = check(answer);
    if (problem !== undefined) {
      errors++;
      countError(tally, problem);
    } else if (now >= time.measureFrom && end <= time.until) {
      tally.latencies.push(end - now);
    }
    now = end;
  }
}

function countError(tally: Tally, message: string): void {
  tally.errors++;
  tally.firstError ??= message;
}

function describeRequest(workload: Workload, index: number, id: number): ReturnType<typeof buildRpcRequest> {
  if (workload.kind === 'list') return buildRpcRequest('tools/list', { era: workload.era, id });
  const name = workload.tools[index % workload.tools.length];
  return buildRpcRequest('tools/call', { era: workload.era, id, params: { name, arguments: {} } });
}

/** The first answer is read and understood; the later ones must have its status, its id and about its size. */
function createCheck(workload: Workload, id: number): (answer: Answer) => string | undefined {
  const idText = `"id":${id}`;
  let size: number | undefined;
  return ({ status, body }) => {
    const start = body.toString('latin1', 0, 200);
    if (status !== 200) return `HTTP ${status}: ${start}`;
    if (size === undefined) {
      const problem = understand(workload, id, body.toString('utf8'));
      if (problem === undefined) size = body.length;
      return problem && `${problem}: ${start}`;
    }
    // The id may stand at the end, too: JSON has no order.
    const hasId =
      new RegExp(`${idText}[,}]`).test(start) || body.toString('latin1', body.length - 200).includes(idText);
    if (!hasId) return `an answer with another id than ${id}: ${start}`;
    return Math.abs(body.length - size) > SIZE_TOLERANCE_BYTES ? `an answer of another size: ${start}` : undefined;
  };
}

interface Understood {
  id?: unknown;
  result?: { tools?: unknown[]; content?: { text?: string }[]; isError?: boolean };
}

function understand(workload: Workload, id: number, text: string): string | undefined {
  let message: Understood;
  try {
    message = JSON.parse(text) as Understood;
  } catch {
    return 'an answer that is not JSON';
  }
  if (message.id !== id) return `an answer with another id than ${id}`;
  if (workload.kind === 'list') {
    const count = message.result?.tools?.length ?? 0;
    return count < workload.minTools ? `a list of ${count} tools instead of ${workload.minTools}` : undefined;
  }
  const length = message.result?.content?.[0]?.text?.length;
  return message.result?.isError !== true && length === workload.textBytes
    ? undefined
    : `a result of ${length} characters instead of ${workload.textBytes}`;
}
