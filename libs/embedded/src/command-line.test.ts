import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCommandLine } from './command-line.ts';

const mistakes: { args: string[]; says: RegExp; why: string }[] = [
  { args: [], says: /none was given/, why: 'a database must be named' },
  { args: ['mongo'], says: /got: mongo/, why: 'an unknown database' },
  { args: ['postgres', 'neo4j'], says: /got: postgres neo4j/, why: 'one process, one database' },
  { args: ['postgres', '--port', 'abc'], says: /--port .*got: abc/, why: 'not a number' },
  { args: ['postgres', '--port', '65536'], says: /--port .*65536/, why: 'beyond the last port' },
  { args: ['postgres', '--prot', '1'], says: /--prot/, why: 'a misspelt flag is not ignored' },
  { args: ['postgres', '--data', 'x', '--ephemeral'], says: /exclude/, why: 'kept and removed at once' },
];
for (const { args, says, why } of mistakes) {
  test(`"${args.join(' ')}" is refused: ${why}`, () => {
    const result = parseCommandLine(args, '/home/user');
    assert.equal(result.kind, 'mistake');
    assert.match(result.kind === 'mistake' ? result.problem : '', says);
  });
}

const starts: { args: string[]; port: number | undefined; data: RegExp | undefined; why: string }[] = [
  { args: ['postgres'], port: undefined, data: /\/\.data\/postgres$/, why: 'kept in the repository, a free port' },
  { args: ['neo4j', '--port', '7687', '--data', 'graph'], port: 7687, data: /^\/home\/user\/graph$/, why: 'relative' },
  { args: ['qdrant', '--data', '/srv/q'], port: undefined, data: /^\/srv\/q$/, why: 'absolute' },
  { args: ['postgres', '--ephemeral', '--port', '0'], port: 0, data: undefined, why: 'temporary' },
];
for (const { args, port, data, why } of starts) {
  test(`"${args.join(' ')}" is understood: ${why}`, () => {
    const result = parseCommandLine(args, '/home/user');
    assert.ok(result.kind === 'start');
    assert.equal(result.database, args[0]);
    assert.equal(result.port, port);
    if (data === undefined) assert.equal(result.dataDirectory, undefined);
    else assert.match(result.dataDirectory ?? '', data);
  });
}
