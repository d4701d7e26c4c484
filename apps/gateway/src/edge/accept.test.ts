import assert from 'node:assert/strict';
import { test } from 'node:test';
import { prefersEventStream } from './accept.ts';

const TABLE: { accept: string | undefined; expected: boolean; why: string }[] = [
  { accept: undefined, expected: false, why: 'no header' },
  { accept: '', expected: false, why: 'an empty header' },
  { accept: 'application/json, text/event-stream', expected: false, why: 'JSON is named first' },
  { accept: 'application/json,text/event-stream', expected: false, why: 'without a space' },
  { accept: 'text/event-stream, application/json', expected: true, why: 'the stream is named first' },
  { accept: 'Text/Event-Stream,Application/JSON', expected: true, why: 'types are the same in any case' },
  { accept: 'text/event-stream', expected: true, why: 'nothing else is taken' },
  { accept: 'application/json', expected: false, why: 'only JSON is taken' },
  { accept: '*/*', expected: false, why: 'anything is taken' },
  { accept: '*/*, text/event-stream', expected: false, why: 'anything is named first' },
  { accept: 'text/event-stream, */*', expected: true, why: 'the stream before anything' },
  { accept: 'text/html, text/event-stream, application/json', expected: true, why: 'another type before both' },
  { accept: 'text/event-stream;q=0.5, application/json', expected: false, why: 'JSON weighs more' },
  { accept: 'application/json;q=0.5, text/event-stream', expected: true, why: 'the stream weighs more' },
  { accept: 'text/event-stream; q=0.5, application/json ;q=0.5', expected: true, why: 'equal weights: the order' },
  { accept: 'text/event-stream;charset=utf-8;q=0.1, */*;q=0.2', expected: false, why: 'a parameter before the weight' },
  { accept: 'text/event-stream;q=0', expected: false, why: 'the stream is refused' },
  { accept: 'text/event-stream;q=0, application/json;q=0', expected: false, why: 'both are refused' },
  { accept: 'text/event-stream;q=x, application/json', expected: false, why: 'a weight that is none' },
  { accept: 'text/event-streams, application/json', expected: false, why: 'a type that only begins so' },
];

for (const { accept, expected, why } of TABLE) {
  test(`an event stream is ${expected ? '' : 'not '}preferred: ${why}`, () => {
    assert.equal(prefersEventStream(accept), expected);
  });
}
