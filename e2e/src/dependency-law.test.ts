import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { repositoryRoot } from '@database-mcp/testing';

const FORBIDDEN: [place: string, source: string, expected: RegExp, why: string][] = [
  [
    'apps/gateway/src',
    `export * from '@database-mcp/postgres-mcp';`,
    /enforce-module-boundaries/,
    'an app imports an app',
  ],
  ['libs/errors/src', `export * from '@database-mcp/service';`, /enforce-module-boundaries/, 'layer 0 imports layer 1'],
  [
    'libs/service/src',
    `export * from '@database-mcp/mcp-kit';`,
    /enforce-module-boundaries/,
    'layer 1 imports layer 2',
  ],
  ['libs/mcp-kit/src', `export * from '@database-mcp/gateway';`, /enforce-module-boundaries/, 'a lib imports an app'],
  [
    'apps/gateway/src',
    `export { main } from '../../postgres-mcp/src/main.ts';`,
    /enforce-module-boundaries/,
    'the same by path',
  ],
  [
    'apps/gateway/src',
    `export * from '@database-mcp/testing';`,
    /no-restricted-imports/,
    'the testing lib in a product file',
  ],
  ['apps/postgres-mcp/src', `export { Pool } from 'pg';`, /no-restricted-imports/, 'a driver outside database.ts'],
  ['apps/neo4j-mcp/src/tools', `export * from 'neo4j-driver';`, /no-restricted-imports/, 'a driver in a tool'],
  ['libs/config/src', `export const home = process.env['HOME'];`, /no-restricted-globals/, 'process outside main.ts'],
];

const run = promisify(execFile);

function bin(name: string): string {
  return join(repositoryRoot, 'node_modules/.bin', name);
}

/** What the linter says of one file; Nx's project graph must be cached for it, or the boundaries rule is skipped. */
async function lint(file: string): Promise<string> {
  await run(bin('nx'), ['show', 'projects'], { cwd: repositoryRoot });
  try {
    const { stdout } = await run(bin('oxlint'), ['--deny-warnings', file], { cwd: repositoryRoot });
    return stdout;
  } catch (error) {
    return (error as { stdout: string }).stdout;
  }
}

for (const [place, source, expected, why] of FORBIDDEN) {
  test(`the check refuses what the dependency law forbids: ${why}`, async (t) => {
    const file = join(repositoryRoot, place, `forbidden-import-${process.pid}.ts`);
    t.after(() => rm(file, { force: true }));
    await writeFile(file, `${source}\n`);
    assert.match(await lint(file), expected);
  });
}

test('the check accepts what the dependency law allows', async (t) => {
  const file = join(repositoryRoot, 'apps/gateway/src', `allowed-import-${process.pid}.ts`);
  t.after(() => rm(file, { force: true }));
  await writeFile(file, `export { ToolError } from '@database-mcp/errors';\n`);
  assert.match(await lint(file), /0 errors/);
});
