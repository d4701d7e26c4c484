import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSampler } from './otlp/sampler.ts';
import { formatTraceparent, parseBaggage, parseTraceparent } from './trace-context.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';

const TABLE: { text: unknown; flags?: number; why: string }[] = [
  { text: `00-${TRACE}-${SPAN}-01`, flags: 1, why: 'sampled' },
  { text: `00-${TRACE}-${SPAN}-00`, flags: 0, why: 'not sampled' },
  { text: `00-${TRACE}-${SPAN}-03`, flags: 3, why: 'sampled, the id is random' },
  { text: `00-${TRACE}-${SPAN}-ff`, flags: 3, why: 'flags that nobody knows yet are dropped' },
  { text: `cc-${TRACE}-${SPAN}-01-more`, flags: 1, why: 'a later version with more parts' },
  { text: `00-${TRACE}-${SPAN}-01-more`, why: 'this version has four parts' },
  { text: `ff-${TRACE}-${SPAN}-01`, why: 'the version that is forbidden' },
  { text: `00-${TRACE.toUpperCase()}-${SPAN}-01`, why: 'upper case' },
  { text: `00-${'0'.repeat(32)}-${SPAN}-01`, why: 'no trace' },
  { text: `00-${TRACE}-${'0'.repeat(16)}-01`, why: 'no span' },
  { text: `00-${TRACE}-${SPAN}`, why: 'too short' },
  { text: '', why: 'empty' },
  { text: 7, why: 'a number' },
  { text: undefined, why: 'nothing' },
];
for (const { text, flags, why } of TABLE) {
  test(`traceparent: ${why}`, () => {
    const expected = flags === undefined ? undefined : { traceId: TRACE, spanId: SPAN, flags };
    assert.deepEqual(parseTraceparent(text), expected);
    if (expected) assert.equal(formatTraceparent(expected), `00-${TRACE}-${SPAN}-0${flags}`);
  });
}

test('tracestate and baggage are carried as they are, unless no header can hold them', () => {
  const stateOf = (state: unknown): string | undefined => parseTraceparent(`00-${TRACE}-${SPAN}-01`, state)?.state;
  assert.equal(stateOf('a=1,b=2'), 'a=1,b=2');
  for (const wrong of ['', 'a=1\r\nx: y', 'é', 'x'.repeat(513), 7]) assert.equal(stateOf(wrong), undefined);
  assert.equal(parseBaggage('user=ada;secret=no'), 'user=ada;secret=no');
  for (const wrong of ['', 'a\n', 'x'.repeat(8_193), {}]) assert.equal(parseBaggage(wrong), undefined);
});

test('samplers decide by the parent, by the ratio, or at once', () => {
  const sampled = { traceId: TRACE, spanId: SPAN, flags: 1 };
  const dropped = { ...sampled, flags: 0 };
  const low = `${'f'.repeat(19)}0000000000001`;
  const high = 'f'.repeat(32);
  const rows = [
    ['always_on', 1, dropped, high, true],
    ['always_off', 1, sampled, low, false],
    ['traceidratio', 0.5, dropped, low, true],
    ['traceidratio', 0.5, sampled, high, false],
    ['traceidratio', 1, undefined, high, true],
    ['traceidratio', 0, undefined, low, false],
    ['parentbased_always_on', 1, undefined, high, true],
    ['parentbased_always_on', 1, dropped, high, false],
    ['parentbased_always_off', 1, sampled, high, true],
    ['parentbased_always_off', 1, undefined, low, false],
    ['parentbased_traceidratio', 0.5, undefined, high, false],
    ['parentbased_traceidratio', 0.5, sampled, high, true],
  ] as const;
  for (const [name, ratio, parent, traceId, expected] of rows) {
    assert.equal(createSampler(name, ratio)(parent, traceId), expected, `${name} ${ratio} ${parent?.flags}`);
  }
});
