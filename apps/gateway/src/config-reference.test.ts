import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { toSchemaText } from './write-schema.ts';

interface Schema {
  properties: Record<string, { default?: unknown; items?: Schema }>;
  required?: string[];
}

const REFERENCE = readFileSync(new URL('../../../docs/gateway-configuration.md', import.meta.url), 'utf8');

/** Key and default as the table under a heading tells them. */
function readTable(heading: string): Map<string, string> {
  const section = REFERENCE.split(`## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
  const rows = [...section.matchAll(/^\| `([^`]+)`\s*\| (.*?)\s*\|/gm)];
  return new Map(rows.map(([, key = '', given = '']) => [key, given.replaceAll('`', '').replace(/ .*/, '')]));
}

/** A default as the reference writes it. */
function toText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

test('the reference has every key of the configuration with its default, and no other', () => {
  const gateway: Schema = JSON.parse(toSchemaText());
  const upstream = gateway.properties['upstreams']?.items;
  assert.ok(upstream);
  for (const [heading, schema] of [
    ['Of the gateway', gateway],
    ['Of each upstream', upstream],
  ] as const) {
    const documented = readTable(heading);
    assert.deepEqual([...documented.keys()].toSorted(), Object.keys(schema.properties).toSorted(), heading);
    for (const [key, { default: value }] of Object.entries(schema.properties)) {
      if (value !== undefined) assert.equal(documented.get(key), toText(value), key);
    }
    for (const key of schema.required ?? []) assert.equal(documented.get(key), 'required', key);
  }
});
