import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { describeStatement } from './describe-statement.ts';

const DESCRIBED: { cypher: string; summary?: string; text?: string; why: string }[] = [
  {
    cypher: 'MATCH (c:Country {cca3: $code})-[:BORDERS]->(n:Country) RETURN n.name LIMIT 5',
    summary: 'MATCH Country BORDERS',
    text: 'MATCH (c:Country {cca3: $code})-[:BORDERS]->(n:Country) RETURN n.name LIMIT ?',
    why: 'labels and types once each, parameters stay',
  },
  {
    cypher: "match (n:`Two Words`|B&!C {a: x, b: 'hunter2'}) // secret\nRETURN n.a + 1.5 /* 4711 */",
    summary: 'MATCH Two Words B C',
    text: 'match (n:`Two Words`|B&!C {a: x, b: ?}) RETURN n.a + ?',
    why: 'label expressions; the colon of a map names no label; comments go',
  },
  {
    cypher: 'EXPLAIN MATCH (n) WHERE n:Person RETURN n',
    summary: 'EXPLAIN MATCH Person',
    text: 'EXPLAIN MATCH (n) WHERE n:Person RETURN n',
    why: 'a label in a condition, and EXPLAIN',
  },
  {
    cypher: 'CALL db.labels() YIELD label',
    summary: 'CALL db.labels',
    text: 'CALL db.labels() YIELD label',
    why: 'the procedure',
  },
  {
    cypher: 'CALL { MATCH (n:A) RETURN n } RETURN n',
    summary: 'CALL A',
    text: 'CALL { MATCH (n:A) RETURN n } RETURN n',
    why: 'a subquery is no procedure',
  },
  { cypher: 'RETURN 1/*x*/AS y', summary: 'RETURN', text: 'RETURN ? AS y', why: 'a comment leaves a blank' },
  {
    cypher: 'MATCH (n) WHERE n.id IN [1, "two",3] RETURN n[0..2]',
    summary: 'MATCH',
    text: 'MATCH (n) WHERE n.id IN [?] RETURN n[?..?]',
    why: 'a list of literals is one, a slice is none',
  },
  {
    cypher: 'hunter2 is my password',
    text: 'hunter2 is my password',
    why: 'a first word that is no clause is not told',
  },
  {
    cypher: "MATCH (n:`A {pin: '4711'}) RETURN n",
    summary: 'MATCH',
    text: 'MATCH (n:?',
    why: 'a name that is not closed',
  },
  { cypher: "RETURN 'open 4711", summary: 'RETURN', text: 'RETURN ?', why: 'a string that is not closed' },
  {
    cypher: String.raw`RETURN \u0027 secret \u0027`,
    why: 'an escape that is a quote to Neo4j 5 and none to later versions: nothing is told',
  },
  {
    cypher: String.raw`RETURN 'a\u0027b' AS x, 'c' AS y`,
    why: 'the same inside of a string, which ends there in Neo4j 5 only',
  },
  {
    cypher: String.raw`MATCH (n) WHERE n.x = 'a\u00e4' RETURN n`,
    summary: 'MATCH',
    text: 'MATCH (n) WHERE n.x = ? RETURN n',
    why: 'an escape that all versions read alike',
  },
];

test('a statement is described by its clause, its labels and its text without values', () => {
  for (const { cypher, summary, text, why } of DESCRIBED) {
    const description = describeStatement(cypher);
    assert.equal(description.summary, summary, why);
    assert.equal(description.text, text, why);
  }
});

test('many labels make a summary of at most 255 characters that cuts no name', () => {
  const labels = Array.from({ length: 40 }, (_, index) => `ARatherLongLabel${index}`);
  const { summary = '' } = describeStatement(`MATCH (n:${labels.join('|')}) RETURN n`);
  assert.ok(summary.length <= 255 && summary.length > 220, String(summary.length));
  assert.ok(
    summary
      .split(' ')
      .slice(1)
      .every((name) => labels.includes(name)),
  );
});

/** Stands in every generated literal; no keyword or name holds it. */
const MARK = '7294618350';
const noise = fc.string({ unit: fc.constantFrom(...`ab'"$\\-/*?,:;{}()\`\n\té€😀 `), maxLength: 12 });

function quoted(quote: string) {
  return fc.tuple(noise, noise).map(([a, b]) => {
    const escaped = (text: string): string => text.replace(new RegExp(`[\\\\${quote}]`, 'g'), '\\$&');
    return `${quote}${escaped(a)}${MARK}${escaped(b)}${quote}`;
  });
}

/** Every form in which Cypher takes a value. */
const literal = fc.oneof(
  quoted("'"),
  quoted('"'),
  fc.constantFrom(
    MARK,
    `-${MARK}`,
    `0x${MARK}`,
    `0o${MARK}`,
    `1.${MARK}`,
    `${MARK}.5e-3`,
    `.${MARK}`,
    `1_${MARK}`,
    `${MARK}E9`,
  ),
  fc.constantFrom(`[${MARK}, ['${MARK}']]`, `{a: ${MARK}, b: "${MARK}"}`, `date('${MARK}')`),
);
const comment = fc.oneof(
  noise.map((text) => `//${text.replaceAll('\n', '')}${MARK}\n`),
  noise.map((text) => `/*${text.replace(/[/*]/g, '')}${MARK}*/`),
);
const gap = fc.oneof({ weight: 4, arbitrary: fc.constant(' ') }, { weight: 1, arbitrary: comment });

const statement = fc
  .record({
    values: fc.array(literal, { minLength: 2, maxLength: 5 }),
    gaps: fc.array(gap, { minLength: 3, maxLength: 3 }),
  })
  .map(({ values: [first = '', ...rest], gaps: [a, b, c] }) => {
    const conditions = rest.map((value) => `n.x = ${value}`).join(' OR ');
    return `MATCH${a}(n:\`Some Label\` {key:${first}})${b} WHERE ${conditions} RETURN n${c}`;
  });

test('no value and no comment of a statement is left in its description, however it is quoted', () => {
  fc.assert(
    fc.property(statement, (cypher) => {
      const { text, summary } = describeStatement(cypher);
      assert.equal(summary, 'MATCH Some Label', cypher);
      assert.ok(text !== undefined && !text.includes(MARK), `${cypher}\n→ ${text}`);
      assert.match(text, /^MATCH ?\(n:`Some Label` \{key:.*\?.*\}\) WHERE n\.x = /u);
    }),
    { numRuns: 2_000 },
  );
});
