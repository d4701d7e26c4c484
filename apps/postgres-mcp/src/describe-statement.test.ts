import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { describeStatement } from './describe-statement.ts';

const DESCRIBED: { sql: string; summary: string | undefined; text: string | undefined; why: string }[] = [
  {
    sql: "SELECT name FROM country WHERE cca3 = 'CHE' LIMIT 10",
    summary: 'SELECT country',
    text: 'SELECT name FROM country WHERE cca3 = ? LIMIT ?',
    why: 'the plain case',
  },
  {
    sql: 'select 1 -- the password is hunter2\n  /* and /* nested */ 4711 */ from "Two Words"."T" where a=$1',
    summary: 'SELECT Two Words.T',
    text: 'select ? from "Two Words"."T" where a=$1',
    why: 'comments go, parameters and quoted names stay, white space is one blank',
  },
  {
    sql: 'SELECT a/*x*/b FROM t',
    summary: 'SELECT t',
    text: 'SELECT a b FROM t',
    why: 'a comment that separates words leaves a blank',
  },
  {
    sql: "WITH x AS (SELECT * FROM a.b) SELECT * FROM x JOIN c ON x.d IS DISTINCT FROM c.d AND x.e IN (1, 'two',3)",
    summary: 'SELECT a.b c',
    text: 'WITH x AS (SELECT * FROM a.b) SELECT * FROM x JOIN c ON x.d IS DISTINCT FROM c.d AND x.e IN (?)',
    why: 'names that WITH defines are no tables, a list of literals is one',
  },
  {
    sql: 'SELECT extract(year FROM born), substring(name FROM 2) FROM person, generate_series(1, 5)',
    summary: 'SELECT person',
    text: 'SELECT extract(year FROM born), substring(name FROM ?) FROM person, generate_series(?)',
    why: 'FROM inside of a call names no table, and a function is none',
  },
  { sql: 'SHOW work_mem', summary: 'SHOW', text: 'SHOW work_mem', why: 'SHOW' },
  {
    sql: 'EXPLAIN (FORMAT JSON) SELECT * FROM t',
    summary: 'EXPLAIN t',
    text: 'EXPLAIN (FORMAT JSON) SELECT * FROM t',
    why: 'EXPLAIN',
  },
  {
    sql: "INSERT INTO account (owner, pin) VALUES ('Ann', 1234)",
    summary: 'INSERT account',
    text: 'INSERT INTO account (owner, pin) VALUES (?)',
    why: 'the relation of a write',
  },
  {
    sql: "ALTER ROLE ann PASSWORD 'hunter2'",
    summary: 'ALTER ROLE',
    text: 'ALTER ROLE ann PASSWORD ?',
    why: 'a statement that is refused may be in the audit log',
  },
  { sql: "SELEC 'x'", summary: undefined, text: 'SELEC ?', why: 'what cannot be parsed can still be scanned' },
  { sql: "SELECT 'open", summary: undefined, text: undefined, why: 'nor can this be scanned: nothing is told' },
  { sql: 'SELECT 12ab', summary: undefined, text: undefined, why: 'junk after a number' },
];

test('a statement is described by its kind, its tables and its text without values', async () => {
  for (const { sql, summary, text, why } of DESCRIBED) {
    const description = await describeStatement(sql);
    assert.equal(description.summary, summary, why);
    assert.equal(description.text, text, why);
  }
});

test('many tables make a summary of at most 255 characters that cuts no name', async () => {
  const tables = Array.from({ length: 40 }, (_, index) => `a_rather_long_table_name_${index}`);
  const { summary = '' } = await describeStatement(`SELECT * FROM ${tables.join(', ')}`);
  assert.ok(summary.length <= 255 && summary.length > 220, String(summary.length));
  assert.ok(
    summary
      .split(' ')
      .slice(1)
      .every((name) => tables.includes(name)),
  );
});

test('of a long statement only the summary is told, and of one that is never run nothing', async () => {
  const { summary, text } = await describeStatement(`SELECT * FROM t WHERE a IN (${'4711,'.repeat(5_000)}4711)`);
  assert.deepEqual([summary, text], ['SELECT t', undefined]);
  assert.deepEqual(await describeStatement(`SELECT '${'x'.repeat(100_000)}'`), {});
});

/** Stands in every generated literal; no keyword or name holds it. */
const MARK = '7294618350';
const noise = fc.string({ unit: fc.constantFrom(...`ab'"$\\-/*?,;{}()\n\té€😀 `), maxLength: 12 });
const around = (write: (before: string, after: string) => string) =>
  fc.tuple(noise, noise).map(([a, b]) => write(a, b));
const tag = fc.constantFrom('', 'tag', 'T_1', 'ä');
const doubled = (text: string): string => text.replaceAll("'", "''");

/** Every form in which PostgreSQL takes a value. */
const literal = fc.oneof(
  around((a, b) => `'${doubled(a)}${MARK}${doubled(b)}'`),
  around((a, b) => `'${doubled(a)}'\n  '${MARK}${doubled(b)}'`),
  around((a, b) => `E'${a.replace(/['\\]/g, '\\$&')}${MARK}${b.replace(/['\\]/g, '\\$&')}'`),
  around((a, b) => `U&'${doubled(a).replaceAll('\\', '\\\\')}${MARK}${doubled(b).replaceAll('\\', '\\\\')}'`),
  around((a, b) => `N'${doubled(a)}${MARK}${doubled(b)}'`),
  fc.tuple(tag, noise).map(([name, text]) => `$${name}$${text.replaceAll('$', '')}${MARK}$${name}$`),
  fc.constantFrom(`X'${MARK}'`, `x'AF${MARK}'`, `0x${MARK}`, MARK, `-${MARK}`, `${MARK}.5e-3`, `.${MARK}`, `1_${MARK}`),
  fc.constantFrom(`${MARK}e10`, `+${MARK}.`, `DATE '${MARK}'`, `'${MARK}'::text`, `'{${MARK}}'::int[]`),
);
const comment = fc.oneof(
  noise.map((text) => `--${text.replaceAll('\n', '')}${MARK}\n`),
  noise.map((text) => `/* ${text.replace(/[/*]/g, '')} /* ${MARK} */ ${MARK} */`),
);
const gap = fc.oneof({ weight: 4, arbitrary: fc.constant(' ') }, { weight: 1, arbitrary: comment });

const statement = fc
  .record({
    values: fc.array(literal, { minLength: 1, maxLength: 5 }),
    gaps: fc.array(gap, { minLength: 4, maxLength: 4 }),
  })
  .map(({ values, gaps: [a, b, c, d] }) => {
    const [first = '', ...rest] = values;
    return `SELECT${a} x, ${first} AS y,${b} f(${values.join(', ')}) FROM${c} "Some" t WHERE ${rest.map((value) => `t.x = ${value}`).join(' OR ') || 'true'}${d}`;
  });

test('no value and no comment of a statement is left in its description, however it is quoted', async () => {
  await fc.assert(
    fc.asyncProperty(statement, async (sql) => {
      const { text, summary } = await describeStatement(sql);
      assert.equal(summary, 'SELECT Some', sql);
      assert.ok(text !== undefined && !text.includes(MARK), `${sql}\n→ ${text}`);
      assert.match(text, /^SELECT x, [-+]?(?:DATE |N)?\? ?(?:AS|::)/u);
    }),
    { numRuns: 2_000 },
  );
});

test('statements that differ only in values, comments and white space have one text', async () => {
  const texts = [
    "SELECT * FROM t WHERE a = 1 AND b IN ('x', 'y')",
    'SELECT *\nFROM t /* ! */ WHERE a = 22 AND b IN ($$z$$)',
  ];
  const [first, second] = await Promise.all(texts.map(describeStatement));
  assert.equal(first?.text, second?.text);
});
