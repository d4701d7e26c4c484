/** The whole system, started once as a person would start it, and everything that it must show. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { isRunning, listProcesses, processTree, waitFor } from '@database-mcp/testing';
import { defineBadInputTests } from './system/bad-input.ts';
import { defineClientTests } from './system/clients.ts';
import { defineFootprintTests } from './system/footprint.ts';
import { startLocalSystem, type LocalSystem } from './system/local-system.ts';
import { defineQuestionTests } from './system/question.ts';
import { defineResourceTests } from './system/resources.ts';

let system: LocalSystem | undefined;

function current(): LocalSystem {
  assert.ok(system, 'the system did not start');
  return system;
}

before(async () => {
  system = await startLocalSystem();
});
after(async () => {
  await system?.process.stop();
});

defineFootprintTests(current);
defineQuestionTests(current);
defineClientTests(current);
defineBadInputTests(current);
defineResourceTests(current);

test('the banner says what runs where and how to connect each client', () => {
  const banner = current().process.stdout();
  for (const part of [
    'What runs where',
    'claude mcp add',
    'mcp-remote',
    '.cursor/mcp.json',
    '.vscode/mcp.json',
    'MCP Client Tool',
    'curl -s',
  ]) {
    assert.ok(banner.includes(part), `${part} is missing in:\n${banner}`);
  }
});

test('the system ends in order at SIGTERM and leaves nothing running', async () => {
  const { process: main } = current();
  const members = processTree(main.pid).map((member) => member.pid);
  assert.ok(members.length > 5, `${members.length} processes`);
  const exit = await main.stop();
  assert.deepEqual(exit, { code: 0, signal: null }, main.stderr());
  await waitFor(() => members.every((pid) => !isRunning(pid)), {
    what: `all processes to end: ${listProcesses()
      .filter(({ pid }) => members.includes(pid))
      .map(({ command }) => command)
      .join('; ')}`,
  });
});
