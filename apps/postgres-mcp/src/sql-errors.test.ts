import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ErrorCode } from '@database-mcp/errors';
import { ToolError } from '@database-mcp/errors';
import { isAboutTls, isConnectionError, isRefusal, toConnectionError, toReadError } from './sql-errors.ts';

const withCode = (code: string, message = 'something'): Error => Object.assign(new Error(message), { code });

const CONNECTING: { error: Error; code?: ErrorCode; says: RegExp; why: string }[] = [
  { error: withCode('28P01'), says: /refuses the user or the password/, why: 'a wrong password' },
  { error: withCode('28000'), says: /accepts no such connection.*pg_hba\.conf/, why: 'no rule for it' },
  { error: withCode('3D000'), says: /database of that name does not exist/, why: 'another database' },
  { error: withCode('53300'), code: 'BUSY', says: /no free connection slots/, why: 'too many connections' },
  { error: withCode('57P03'), says: /starting up, shutting down or in recovery/, why: 'recovery' },
  { error: withCode('57P01'), says: /ended the connection/, why: 'an administrator' },
  { error: withCode('ECONNREFUSED'), says: /nothing answers at its address/, why: 'it is down' },
  { error: withCode('ENOTFOUND'), says: /host name is not known/, why: 'a misspelt host' },
  { error: withCode('EHOSTUNREACH'), says: /no answer from its address/, why: 'the network' },
  { error: withCode('DEPTH_ZERO_SELF_SIGNED_CERT'), says: /not signed by an authority that is trusted/, why: 'self-signed' },
  { error: withCode('CERT_HAS_EXPIRED'), says: /not valid at this time/, why: 'too old' },
  { error: withCode('ERR_TLS_CERT_ALTNAME_INVALID'), says: /for another host name/, why: 'another host' },
  { error: new Error('The server does not support SSL connections'), says: /offers no TLS/, why: 'TLS asked for in vain' },
  { error: new Error('timeout expired'), says: /did not answer in time/, why: 'silence' },
  { error: new Error('SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a string'), says: /asks for a password that is not set/, why: 'no password' },
  { error: new Error('Connection terminated unexpectedly at 10.1.2.3'), says: /the connection broke/, why: 'anything else, without its words' },
]; // prettier-ignore

for (const { error, code = 'UNAVAILABLE', says, why } of CONNECTING) {
  test(`[63] a connection that cannot be had is told in words: ${(error as { code?: string }).code ?? error.message} (${why})`, () => {
    const told = toConnectionError(error);
    assert.equal(told.code, code);
    assert.match(told.message, says);
    assert.equal(/10\.1\.2\.3/.test(told.message), false);
  });
}

test('another way of TLS is tried for what is about TLS, and nothing else after a refusal', () => {
  for (const code of ['28000', 'EPROTO', 'DEPTH_ZERO_SELF_SIGNED_CERT']) assert.ok(isAboutTls(withCode(code)), code);
  for (const code of ['28P01', '3D000', '42501']) assert.ok(isRefusal(withCode(code)), code);
  for (const code of ['28000', 'ECONNREFUSED', '57P03', '53300']) assert.equal(isRefusal(withCode(code)), false, code);
  for (const code of ['ECONNREFUSED', '57P03', '28P01']) assert.equal(isAboutTls(withCode(code)), false, code);
});

test('a mistake in a statement is no broken connection, also when it is a violation of the protocol', () => {
  for (const code of ['42601', '08P01', '22P02', '57014']) assert.equal(isConnectionError(withCode(code)), false, code);
  for (const code of ['08006', '57P01', 'ECONNRESET']) assert.ok(isConnectionError(withCode(code)), code);
});

const STATEMENTS: { state: string; message: string; code: ErrorCode; hint: RegExp; why: string }[] = [
  { state: '40001', message: 'canceling statement due to conflict with recovery', code: 'BUSY', hint: /Try again/, why: 'a replica needed the rows' },
  { state: '40P01', message: 'deadlock detected', code: 'BUSY', hint: /Try again/, why: 'a deadlock' },
  { state: '53200', message: 'out of memory', code: 'BUSY', hint: /short of a resource/, why: 'a class' },
  { state: '54011', message: 'target lists can have at most 1664 entries', code: 'TOO_LARGE', hint: /fewer columns/, why: 'a class' },
  { state: '57014', message: 'canceling statement due to user request', code: 'QUERY_FAILED', hint: /^$/, why: 'an administrator, long before the deadline' },
]; // prettier-ignore

for (const { state, message, code, hint, why } of STATEMENTS) {
  test(`the SQLSTATE ${state} becomes ${code} (${why})`, () => {
    const told = toReadError(withCode(state, message), { sql: 'SELECT 1' }, { deadlineMs: 10_000, tookMs: 5 });
    assert.ok(told instanceof ToolError);
    assert.deepEqual([told.code, told.message], [code, `${message} [SQLSTATE ${state}]`]);
    assert.match(told.hint ?? '', hint);
  });
}

test('the same cancellation at the deadline is a timeout', () => {
  const told = toReadError(withCode('57014'), { sql: 'SELECT 1' }, { deadlineMs: 10_000, tookMs: 9_500 });
  assert.ok(told instanceof ToolError);
  assert.equal(told.code, 'TIMEOUT');
});
