/** What the running system costs. The budgets are the product's promises. */
import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { test } from 'node:test';
import { cpuSeconds, processTree, listProcesses, residentBytes } from '@database-mcp/testing';
import type { LocalSystem } from './local-system.ts';

const MIB = 1024 * 1024;
const WHOLE_SYSTEM_BYTES = 1.5 * 1024 * MIB;
const ONE_PROCESS_BYTES = 120 * MIB;
const START_CACHED_MS = 20_000;
/** Two cores for the 20 seconds, less what a first start spends on Neo4j's class archive. */
const START_CPU_SECONDS = 30;

/** Defines the tests; `current` gives the running system, which must be idle. */
export function defineFootprintTests(current: () => LocalSystem): void {
  test('the whole system is ready in under 20 s once the jars are cached', (t) => {
    const { process: main, startMs, loadAtStart } = current();
    if (main.stdout().includes('ownload')) return t.skip('this start downloaded the jars');
    const cpu = systemProcesses(main.pid).reduce((sum, { pid }) => sum + (cpuSeconds(pid) ?? 0), 0);
    t.diagnostic(
      `ready after ${(startMs / 1000).toFixed(1)} s, ${cpu.toFixed(1)} s of CPU time, load ${loadAtStart.toFixed(1)}`,
    );
    // On a machine that is busy with other work the time says nothing of this system; what it costs always does.
    assert.ok(cpu < START_CPU_SECONDS, `${cpu} s of CPU time`);
    if (loadAtStart < availableParallelism()) assert.ok(startMs < START_CACHED_MS, `${startMs} ms`);
  });

  test('the whole system stays under 1.5 GiB resident, each of our Node processes under 120 MiB', (t) => {
    const members = systemProcesses(current().process.pid);
    const sizes = members.map((member) => ({ ...member, bytes: residentBytes(member.pid) }));
    const total = sizes.reduce((sum, member) => sum + member.bytes, 0);
    for (const member of sizes.toSorted((a, b) => b.bytes - a.bytes)) {
      t.diagnostic(`${(member.bytes / MIB).toFixed(0).padStart(5)} MiB  ${member.command.slice(0, 110)}`);
    }
    t.diagnostic(`${(total / MIB).toFixed(0)} MiB in all`);
    assert.ok(total < WHOLE_SYSTEM_BYTES, `${(total / MIB).toFixed(0)} MiB`);
    const ours = sizes.filter(({ command }) => /\b(apps|deploy|libs)\/[a-z/-]+\.(ts|mjs)\b/.test(command));
    assert.ok(ours.length >= 5, `only ${ours.length} processes of ours were found`);
    for (const { bytes, command } of ours) {
      assert.ok(bytes < ONE_PROCESS_BYTES, `${(bytes / MIB).toFixed(0)} MiB: ${command}`);
    }
  });
}

/** The tree below the process, and what its guards started in sessions of their own. */
function systemProcesses(pid: number): { pid: number; command: string }[] {
  const tree = processTree(pid);
  const known = new Set(tree.map((member) => member.pid));
  const all = listProcesses();
  for (let grown = true; grown;) {
    grown = false;
    for (const candidate of all) {
      if (known.has(candidate.pid) || !known.has(candidate.parentPid)) continue;
      known.add(candidate.pid);
      tree.push(candidate);
      grown = true;
    }
  }
  return tree;
}
