import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text as readText } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { test, type TestContext } from 'node:test';
import { callTool, readResult, startGatewayProcess, until } from './test-gateway.ts';
import { answerCall, startTestUpstream, toolText } from './test-upstream.ts';

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url));

function writeConfig(t: TestContext, text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'gateway-main-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'gateway.yaml');
  writeFileSync(path, text);
  return path;
}

test('a start with mistakes ends with status 1 and says all of them, without a stack', async (t) => {
  const path = writeConfig(t, 'prot: 1\nupstreams:\n  - { name: "a b", url: nowhere }\n');
  const child = spawn(process.execPath, [MAIN, '--config', path], { stdio: ['ignore', 'ignore', 'pipe'] });
  const [message, [code]] = await Promise.all([readText(child.stderr), once(child, 'exit')]);
  assert.equal(code, 1);
  assert.match(message, /3 problems/);
  for (const part of ['prot', 'upstreams[0].name', 'upstreams[0].url']) assert.ok(message.includes(part), message);
  assert.ok(!message.includes('    at '), message);
});

test('SIGTERM lets the call in progress finish, then the process ends with status 0', async (t) => {
  let finish: (() => void) | undefined;
  const upstream = await startTestUpstream(t, {
    tools: [toolText('pg_query')],
    onCall: (request, response) => {
      finish = () => answerCall(request, response);
    },
  });
  const path = writeConfig(t, `{"port":0,"upstreams":[{"name":"pg","url":"${upstream.url}"}]}`);
  const { gateway, url } = await startGatewayProcess(t, path);
  const call = callTool({ url }, 'pg_query');
  await until('the call arrives', () => finish !== undefined);
  gateway.kill('SIGTERM');
  await until('it accepts no more', () =>
    fetch(`${url}/health`).then(
      () => false,
      () => true,
    ),
  );
  finish?.();
  assert.equal(readResult(await call).text, 'called pg_query');
  assert.deepEqual(await gateway.exited, { code: 0, signal: null });
});
