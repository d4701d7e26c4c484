import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toErrorText, type ErrorCode } from '@database-mcp/errors';
import { BATCH_EXCEEDED, toToolError } from './database-errors.ts';

const STATEMENT = 'Neo.ClientError.Statement';
const POOL = 'Connection acquisition timed out in 1900 ms. Pool status: Active conn count =';

const CASES: { code: string; message: string; addedLines?: number; is: ErrorCode; says: RegExp; why: string }[] = [
  {
    code: `${STATEMENT}.SyntaxError`,
    message: 'Variable `m` not defined (line 3, column 9 (offset: 18))\n" RETURN m"\n         ^',
    addedLines: 1,
    is: 'SYNTAX_ERROR',
    says: /^SYNTAX_ERROR: Variable `m` not defined\nWhere: line 2, column 9: RETURN m$/,
    why: 'the line that we added is not counted',
  },
  {
    code: `${STATEMENT}.SyntaxError`,
    message: 'Expected exactly one statement per query but got: 2 (line 1, column 0 (offset: 8))\n"A; B"\n ^',
    addedLines: 1,
    is: 'SYNTAX_ERROR',
    says: /one statement in each call/,
    why: 'a place in the added line is not shown',
  },
  {
    code: `${STATEMENT}.SyntaxError`,
    message: 'Unknown function \'a.b\' (line 1, column 8 (offset: 7))\n"x"\n ^',
    is: 'NOT_FOUND',
    says: /SHOW FUNCTIONS/,
    why: 'a name, not the grammar',
  },
  {
    code: `${STATEMENT}.ParameterMissing`,
    message: 'Expected parameter(s): x, y',
    is: 'INVALID_ARGUMENT',
    says: /\$x, \$y.*[^]*Pass `params`, such as \{"x":"…","y":"…"\}/,
    why: 'says which and what to do',
  },
  {
    code: `${STATEMENT}.AccessMode`,
    message: 'Writing in read access mode not allowed.',
    is: 'READ_ONLY',
    says: /only reads/,
    why: "the database's own refusal",
  },
  {
    code: `${STATEMENT}.ArithmeticError`,
    message: '/ by zero',
    is: 'QUERY_FAILED',
    says: /\/ by zero/,
    why: 'a valid statement that failed',
  },
  {
    code: `${STATEMENT}.ArgumentError`,
    message: "Can't specify multiple conflicting values for execution mode",
    is: 'INVALID_ARGUMENT',
    says: /PROFILE is not offered/,
    why: 'PROFILE under our EXPLAIN',
  },
  {
    code: 'Neo.ClientError.Procedure.ProcedureNotFound',
    message: 'There is no procedure with the name `a.b`',
    is: 'NOT_FOUND',
    says: /a\.b/,
    why: 'a name',
  },
  {
    code: 'Neo.ClientError.Security.Unauthorized',
    message: 'bad password hunter2',
    is: 'UNAVAILABLE',
    says: /refused the login.*[^]*NEO4J_PASSWORD/,
    why: 'the login is ours, not the caller’s',
  },
  {
    code: 'Neo.ClientError.Security.Forbidden',
    message: 'Read denied',
    is: 'PERMISSION_DENIED',
    says: /Read denied/,
    why: 'a privilege',
  },
  {
    code: 'Neo.ClientError.Database.DatabaseNotFound',
    message: 'Graph not found: nope',
    is: 'NOT_FOUND',
    says: /nope/,
    why: 'USE of an unknown database',
  },
  {
    code: 'Neo.ClientError.Transaction.TransactionTimedOutClientConfiguration',
    message: 'terminated',
    is: 'TIMEOUT',
    says: /longer than it may/,
    why: "the database's clock",
  },
  {
    code: 'Neo.TransientError.General.MemoryPoolOutOfMemoryError',
    message: 'pool',
    is: 'QUERY_FAILED',
    says: /memory/,
    why: 'a limit of the database',
  },
  {
    code: 'Neo.TransientError.General.DatabaseUnavailable',
    message: 'down',
    is: 'UNAVAILABLE',
    says: /cannot be reached/,
    why: 'starting or stopping',
  },
  {
    code: 'ServiceUnavailable',
    message: 'Failed to connect to bolt://neo4j:hunter2@db',
    is: 'UNAVAILABLE',
    says: /Neo4j cannot be reached/,
    why: 'no address is shown',
  },
  {
    code: 'N/A',
    message: `${POOL} 10, Idle conn count = 0.`,
    is: 'BUSY',
    says: /Too many/,
    why: 'all connections are in use',
  },
  {
    code: 'N/A',
    message: `${POOL} 0, Idle conn count = 0.`,
    is: 'UNAVAILABLE',
    says: /reached/,
    why: 'none could be opened',
  },
  { code: 'N/A', message: 'Server responded HTTP.', is: 'UNAVAILABLE', says: /Bolt port/, why: 'the wrong port' },
  {
    code: 'ServiceUnavailable',
    message: `Failed. Caused by: ${BATCH_EXCEEDED}`,
    is: 'TOO_LARGE',
    says: /too large/,
    why: 'we cut it',
  },
];

test('errors of Neo4j and of its driver become failures with a code, a place and a next step', () => {
  for (const { code, message, addedLines = 0, is, says, why } of CASES) {
    const failure = toToolError(Object.assign(new Error(message), { code }), { addedLines });
    assert.ok(failure, why);
    assert.equal(failure.code, is, why);
    assert.match(toErrorText(failure), says, why);
    assert.doesNotMatch(toErrorText(failure), /hunter2/, why);
  }
});

test('an error that is nobody else’s fault is left as it is', () => {
  for (const error of [
    new TypeError('x is not a function'),
    Object.assign(new Error('odd'), { code: 'N/A' }),
    'text',
  ]) {
    assert.equal(toToolError(error), undefined);
  }
});

test('a very long message is cut', () => {
  const error = Object.assign(new Error('x'.repeat(10_000)), { code: `${STATEMENT}.SyntaxError` });
  assert.ok(toErrorText(toToolError(error) ?? { code: 'INTERNAL', message: '' }).length < 700);
});
