import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { injectContext, readContext } from './propagation.ts';

const OWN = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: '00f067aa0ba902b7', flags: 1 };
const OWN_TEXT = `00-${OWN.traceId}-${OWN.spanId}-01`;
const CLIENT_TEXT = `00-${OWN.traceId}-b7ad6b7169203331-01`;
const HTTP_TEXT = '00-4bf92f3577b34da6a3ce929d0e0e4736-b7ad6b7169203331-01';

function inject(body: string, baggage?: string): string {
  return injectContext({ body: Buffer.from(body), headers: {} }, OWN, baggage).body.toString('utf8');
}

const TABLE: { before: string; after: string; why: string }[] = [
  {
    before: '{"id":9007199254740993,"params":{"name":"a","_meta":{"x":1.0}},"z":"é"}',
    after: `{"id":9007199254740993,"params":{"name":"a","_meta":{"traceparent":"${OWN_TEXT}","x":1.0}},"z":"é"}`,
    why: 'the rest keeps its bytes',
  },
  {
    before: '{"params":{"_meta":{ }}}',
    after: `{"params":{"_meta":{"traceparent":"${OWN_TEXT}" }}}`,
    why: 'an empty _meta',
  },
  {
    before: '{"params":{"name":"a"}}',
    after: `{"params":{"_meta":{"traceparent":"${OWN_TEXT}"},"name":"a"}}`,
    why: 'no _meta',
  },
  { before: '{"params":{}}', after: `{"params":{"_meta":{"traceparent":"${OWN_TEXT}"}}}`, why: 'empty params' },
  { before: ' {"id":1}', after: ` {"params":{"_meta":{"traceparent":"${OWN_TEXT}"}},"id":1}`, why: 'no params' },
  {
    before: `{"params":{"_meta":{"a":1,"traceparent":"${CLIENT_TEXT}","b":[2] ,"baggage":"k=v","c":{}}}}`,
    after: `{"params":{"_meta":{"traceparent":"${OWN_TEXT}","a":1,"b":[2],"c":{}}}}`,
    why: "the client's is replaced",
  },
  {
    before: `{"params":{"_meta":{"trace\\u0070arent":"${CLIENT_TEXT}","traceparent":"x"}}}`,
    after: `{"params":{"_meta":{"traceparent":"${OWN_TEXT}"}}}`,
    why: 'written twice, once with an escape',
  },
  { before: '{"params":[1]}', after: '{"params":[1]}', why: 'params that is no object has no _meta' },
  { before: '{"params":{"_meta":7}}', after: '{"params":{"_meta":7}}', why: 'a _meta that is no object' },
  {
    before: '{"params":{"arguments":{"_meta":{"traceparent":"mine"}}}}',
    after: `{"params":{"_meta":{"traceparent":"${OWN_TEXT}"},"arguments":{"_meta":{"traceparent":"mine"}}}}`,
    why: 'arguments are the client’s own',
  },
];
for (const { before, after, why } of TABLE) {
  test(`the context is put into _meta: ${why}`, () => assert.equal(inject(before), after));
}

test('whatever the message, only the trace keys of params._meta change', () => {
  const meta = fc.dictionary(fc.oneof(fc.string(), fc.constantFrom('traceparent', 'tracestate', 'baggage')), fc.json());
  const parts = fc.record({ arguments: fc.jsonValue(), _meta: meta }, { requiredKeys: [] });
  fc.assert(
    fc.property(
      fc.record({ id: fc.integer(), params: parts }, { requiredKeys: ['id'] }),
      fc.string(),
      (message, text) => {
        const baggage = /^[\x20-\x7e]+$/.test(text) ? text : undefined;
        const injected = JSON.parse(inject(JSON.stringify(message), baggage));
        const kept = Object.entries(message.params?._meta ?? {}).filter(
          ([key]) => !['traceparent', 'tracestate', 'baggage'].includes(key),
        );
        const expected = {
          ...message,
          params: {
            ...message.params,
            _meta: { ...Object.fromEntries(kept), traceparent: OWN_TEXT, ...(baggage !== undefined && { baggage }) },
          },
        };
        assert.deepEqual(injected, JSON.parse(JSON.stringify(expected)));
      },
    ),
  );
});

test('the headers say the same, and nothing of another trace', () => {
  const headers = { accept: 'x', traceparent: HTTP_TEXT, tracestate: 'h=1', baggage: 'from=http' };
  const sent = injectContext({ body: Buffer.from('{}'), headers }, { ...OWN, state: 'v=1' }, undefined);
  assert.deepEqual(sent.headers, { accept: 'x', traceparent: OWN_TEXT, tracestate: 'v=1' });
});

const PARENTS: {
  meta?: object;
  headers?: Record<string, string>;
  parent?: string;
  link?: string;
  baggage?: string;
  why: string;
}[] = [
  { why: 'nothing' },
  { meta: { traceparent: CLIENT_TEXT }, parent: 'b7ad6b7169203331', why: '_meta' },
  { headers: { traceparent: HTTP_TEXT, baggage: 'a=1' }, parent: 'b7ad6b7169203331', baggage: 'a=1', why: 'headers' },
  {
    meta: { traceparent: CLIENT_TEXT, baggage: 'm=1' },
    headers: { traceparent: HTTP_TEXT, baggage: 'h=1' },
    parent: 'b7ad6b7169203331',
    link: '4bf92f3577b34da6a3ce929d0e0e4736',
    baggage: 'm=1',
    why: 'both',
  },
  {
    meta: { traceparent: CLIENT_TEXT },
    headers: { traceparent: CLIENT_TEXT },
    parent: 'b7ad6b7169203331',
    why: 'both the same: there is nothing to link',
  },
  { meta: { traceparent: 7 }, headers: { traceparent: '00-1-2-3' }, why: 'malformed ones' },
];
for (const { meta, headers = {}, parent, link, baggage, why } of PARENTS) {
  test(`the parent of a message: ${why}`, () => {
    const context = readContext({ params: { _meta: meta } }, headers);
    assert.equal(context.parent?.spanId, parent);
    assert.equal(context.link?.traceId, link);
    assert.equal(context.baggage, baggage);
  });
}
