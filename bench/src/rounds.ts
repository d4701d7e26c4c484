/** Puts every workload on every target, round after round, so that slow and fast times of the machine hit all alike. */
import { setTimeout as delay } from 'node:timers/promises';
import { cpuSeconds, LARGE_RESULT_BYTES, residentBytes, SMALL_RESULT_BYTES } from '@database-mcp/testing';
import type { JobResult, Workload } from './load-driver.ts';
import type { Setup, Target } from './processes.ts';

/** How much to measure. */
export interface Plan {
  rounds: number;
  measureMs: number;
}

/** The workloads of a round. */
export type ScenarioName = 'modern' | 'legacy' | 'single' | 'single-legacy' | 'list' | 'large';

/** One stretch of load on one target. */
export interface Sample extends JobResult {
  scenario: ScenarioName;
  target: Target['name'];
  round: number;
  /** CPU time of the process in the middle per call; undefined without one, or where the system does not tell. */
  cpuMsPerCall: number | undefined;
  upstreamRequestsPerCall: number;
  newConnectionsPerCall: number;
}

/** Everything that a run has measured. */
export interface Measurements {
  samples: Sample[];
  /** Bytes of the processes in the middle before any load, and after all of it. */
  idleBytes: Map<Target['name'], number>;
  bytesAfterLoad: Map<Target['name'], number>;
  /** Spans that the traced gateway has to send for the calls that it got, and those that arrived. */
  spans: { expected: number; received: number };
}

/** The message of the client, and the request to the upstream. */
const SPANS_PER_CALL = 2;

const CLIENTS = 16;
/** Connections are opened and buffers sized in it; the code is hot already, see `heatUp`. */
const WARM_UP_MS = 100;
/** Long enough for the compiler to have done its work. */
const HEAT_UP_MS = 700;
/** A process is idle when what it did at its start is over. */
const SETTLE_MS = 1_500;

interface Scenario {
  name: ScenarioName;
  clients: number;
  targets: readonly Target['name'][];
  workload: (setup: Setup, target: Target) => Workload;
}

/** Direct calls go to one upstream, which has the first of the tools only. */
function toolsFor(target: Target, tools: readonly string[]): readonly string[] {
  return target.name === 'direct' ? tools.slice(0, 1) : tools;
}

const ALL = ['direct', 'pass-through', 'gateway'] as const;
const call = (era: 'modern' | 'legacy') => (setup: Setup, target: Target) =>
  ({ kind: 'call', era, tools: toolsFor(target, setup.smallTools), textBytes: SMALL_RESULT_BYTES }) as const;

const SCENARIOS: readonly Scenario[] = [
  { name: 'modern', clients: CLIENTS, targets: [...ALL, 'traced'], workload: call('modern') },
  { name: 'legacy', clients: CLIENTS, targets: ALL, workload: call('legacy') },
  { name: 'single', clients: 1, targets: ALL, workload: call('modern') },
  { name: 'single-legacy', clients: 1, targets: ALL, workload: call('legacy') },
  {
    name: 'list',
    clients: CLIENTS,
    // An upstream alone has a third of the tools, so there is nothing to compare with.
    targets: ['pass-through', 'gateway'],
    workload: (setup) => ({ kind: 'list', era: 'modern', minTools: setup.toolCount }),
  },
  {
    name: 'large',
    clients: CLIENTS,
    targets: ALL,
    workload: (setup, target) => ({
      kind: 'call',
      era: 'modern',
      tools: toolsFor(target, setup.largeTools),
      textBytes: LARGE_RESULT_BYTES,
    }),
  },
];

/** Runs the plan. `signal` ends it early. */
export async function measure(
  setup: Setup,
  plan: Plan,
  signal: AbortSignal,
  onProgress: (text: string) => void,
): Promise<Measurements> {
  await delay(SETTLE_MS, undefined, { signal });
  const idleBytes = weigh(setup);
  const spansBefore = await setup.countSpans();
  let tracedCalls = 0;
  const take = async (scenario: Scenario, target: Target, round: number, time: Time): Promise<Sample> => {
    const taken = await sample(setup, scenario, target, round, time);
    if (target.name === 'traced') tracedCalls += taken.callsInAll;
    return taken;
  };
  onProgress('warming up');
  await forEachSlice(setup, false, signal, (scenario, target) => {
    const workloads = SCENARIOS.filter(({ targets }) => targets.includes(target.name)).length;
    // Who has few workloads gets each for longer, or its code would be colder than that of the others.
    return take(scenario, target, -1, { warmUpMs: 0, measureMs: (HEAT_UP_MS * SCENARIOS.length) / workloads });
  });
  const samples: Sample[] = [];
  for (let round = 0; round < plan.rounds; round++) {
    onProgress(`round ${round + 1} of ${plan.rounds}`);
    await forEachSlice(setup, round % 2 === 1, signal, async (scenario, target) => {
      const time = { warmUpMs: WARM_UP_MS, measureMs: plan.measureMs };
      samples.push(await take(scenario, target, round, time));
    });
  }
  const bytesAfterLoad = weigh(setup);
  const received = (await setup.countSpans()) - spansBefore;
  return { samples, idleBytes, bytesAfterLoad, spans: { expected: tracedCalls * SPANS_PER_CALL, received } };
}

interface Time {
  warmUpMs: number;
  measureMs: number;
}

/** Every second round goes through the targets backwards, so that none always has the place behind another. */
async function forEachSlice(
  setup: Setup,
  isBackwards: boolean,
  signal: AbortSignal,
  run: (scenario: Scenario, target: Target) => Promise<unknown>,
): Promise<void> {
  const targets = isBackwards ? setup.targets.toReversed() : setup.targets;
  for (const scenario of SCENARIOS) {
    for (const target of targets) {
      if (!scenario.targets.includes(target.name)) continue;
      signal.throwIfAborted();
      await run(scenario, target);
    }
  }
}

async function sample(setup: Setup, scenario: Scenario, target: Target, round: number, time: Time): Promise<Sample> {
  const seenBefore = await setup.countUpstream();
  const cpuBefore = target.pid === undefined ? undefined : cpuSeconds(target.pid);
  const workload = scenario.workload(setup, target);
  const result = await setup.drive({ url: target.url, workload, clients: scenario.clients, ...time });
  const cpuAfter = target.pid === undefined ? undefined : cpuSeconds(target.pid);
  const seenAfter = await setup.countUpstream();
  if (result.errors > 0) {
    throw new Error(
      `${target.name} gave ${result.errors} wrong answers to ${scenario.name} requests; the first: ${result.firstError}`,
    );
  }
  const cpuMs = cpuBefore === undefined || cpuAfter === undefined ? undefined : (cpuAfter - cpuBefore) * 1_000;
  return {
    ...result,
    scenario: scenario.name,
    target: target.name,
    round,
    cpuMsPerCall: cpuMs && cpuMs / result.callsInAll,
    upstreamRequestsPerCall: (seenAfter.requests - seenBefore.requests) / result.callsInAll,
    newConnectionsPerCall: (seenAfter.connections - seenBefore.connections) / result.callsInAll,
  };
}

function weigh(setup: Setup): Map<Target['name'], number> {
  return new Map(
    setup.targets.flatMap(({ name, pid }) => (pid === undefined ? [] : [[name, residentBytes(pid)] as const])),
  );
}
