import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import { createCallLog, type CallLine } from './call-line.ts';

const TRACE = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' };
const LINES: readonly { line: CallLine; why: string }[] = [
  { line: { tool: 'postgres_query', status: 'ok', durationMs: 1.5, bytes: 120 }, why: 'a server' },
  { line: { tool: 'a', upstream: 'crm', status: 'tool_error', durationMs: 0, bytes: 0 }, why: 'the gateway' },
  { line: { tool: 'a', status: '-32602', durationMs: 12.3, bytes: 7, trace: TRACE }, why: 'with a trace' },
  { line: { tool: '"}\n{"x\u2028', upstream: '\\', status: 'ok', durationMs: 1, bytes: 1 }, why: 'a hostile name' },
];

for (const { line, why } of LINES) {
  test(`the line of a call is what the logger itself would write: ${why}`, () => {
    const written: string[] = [];
    const settings = { base: { service: 'test' }, timestamp: () => ',"time":"now"' };
    const logger = pino(settings, { write: (text: string) => void written.push(text) });
    createCallLog(logger)?.(line);
    const { trace, tool, upstream, status, durationMs, bytes } = line;
    logger.info(
      { tool, upstream, status, durationMs, bytes, trace_id: trace?.traceId, span_id: trace?.spanId },
      'call',
    );
    assert.equal(written.length, 2);
    assert.deepEqual(JSON.parse(written[0] ?? ''), JSON.parse(written[1] ?? ''));
    assert.match(written[0] ?? '', /^[^\n]*\n$/, 'one line');
  });
}

test('there are no lines of calls below the level info', () => {
  assert.equal(createCallLog(pino({ level: 'warn' }, { write: () => {} })), undefined);
});
