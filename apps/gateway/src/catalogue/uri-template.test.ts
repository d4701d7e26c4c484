import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { parseUriTemplate } from './uri-template.ts';

const ROWS = [
  { template: 'a://t/{id}/x', uri: 'a://t/7/x', fits: true, why: 'a value stands for the variable' },
  { template: 'a://t/{id}/x', uri: 'a://t//x', fits: false, why: 'a simple value is not empty' },
  { template: 'a://t/{id}/x', uri: 'a://t/7/8/x', fits: false, why: 'a simple value has no slash' },
  { template: 'a://t/{id}', uri: 'a://t/a%2Fb', fits: true, why: 'an escaped slash is none' },
  { template: 'file:///{+path}', uri: 'file:///a/b?c', fits: true, why: 'a reserved value has slashes' },
  { template: 'a://h{/seg}', uri: 'a://h/x', fits: true, why: 'a path segment with its slash' },
  { template: 'a://h{/seg*}', uri: 'a://h/x/y', fits: true, why: 'a list of segments' },
  { template: 'a://h{/seg}', uri: 'a://h', fits: true, why: 'the variable may be undefined' },
  { template: 'a://h{?q,p}', uri: 'a://h?q=1&p=2', fits: true, why: 'a query' },
  { template: 'a://h{?q}', uri: 'a://h', fits: true, why: 'a query may be absent' },
  { template: 'a://h{?q}', uri: 'a://hq=1', fits: false, why: 'a query begins with its mark' },
  { template: 'a://h?x=1{&q}', uri: 'a://h?x=1&q=2', fits: true, why: 'a query goes on' },
  { template: 'a://{x}.{y}', uri: 'a://b.c', fits: true, why: 'two variables' },
  { template: 'a://{x}{#f}', uri: 'a://b#c/d', fits: true, why: 'a fragment' },
  { template: 'a://exact', uri: 'a://exact', fits: true, why: 'no variable at all' },
  { template: 'a://exact', uri: 'a://exact2', fits: false, why: 'the whole URI counts' },
];

test('URIs fit the templates that they may come from', async (t) => {
  for (const { template, uri, fits, why } of ROWS) {
    await t.test(`${template}: ${why}`, () => assert.equal(parseUriTemplate(template)?.matches(uri), fits));
  }
});

test('text with stray braces is no template', () => {
  for (const text of ['a://{', 'a://}', 'a://{}', 'a://{x', 'a://{a b}', '{{x}}']) {
    assert.equal(parseUriTemplate(text), undefined, text);
  }
});

test('what is put into a template is found again, whatever it is', () => {
  const value = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }).map(encodeURIComponent);
  const literal = fc.stringMatching(/^[a-z:/.]{0,6}$/);
  fc.assert(
    fc.property(fc.array(fc.tuple(literal, value), { maxLength: 6 }), (parts) => {
      const template = parts.map(([text], index) => `${text}{v${index}}`).join('');
      const uri = parts.map(([text, filled]) => `${text}${filled}`).join('');
      assert.equal(parseUriTemplate(template)?.matches(uri), true);
    }),
  );
});

test('a hostile template and a long URI do not take long', () => {
  const template = parseUriTemplate(`${'{a}'.repeat(60)}!`);
  const started = performance.now();
  assert.equal(template?.matches('a'.repeat(8_000)), false);
  assert.ok(performance.now() - started < 1_000);
});
