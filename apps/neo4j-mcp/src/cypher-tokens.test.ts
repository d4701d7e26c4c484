import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readingsOf, readTokens } from './cypher-tokens.ts';

const TOKENS: { statement: string; tokens: string; why: string }[] = [
  { statement: 'MATCH (n) RETURN n.x', tokens: 'MATCH ( n ) RETURN n . x', why: 'words and signs' },
  { statement: "RETURN 'LOAD CSV' AS s", tokens: "RETURN ' AS s", why: 'the content of a string is no token' },
  { statement: String.raw`RETURN 'it\'s' AS s`, tokens: "RETURN ' AS s", why: 'an escaped quote does not end it' },
  {
    statement: String.raw`RETURN "a\\" AS s`,
    tokens: "RETURN ' AS s",
    why: 'an escaped backslash does not hide the end',
  },
  {
    statement: 'MATCH (n:`a``b CALL`) RETURN 1',
    tokens: 'MATCH ( n : a`b CALL ) RETURN 1',
    why: 'a quoted name is one token',
  },
  { statement: 'RETURN 1 // CALL x.y\n+ 2', tokens: 'RETURN 1 + 2', why: 'a line comment ends with its line' },
  { statement: 'RETURN 1 // CALL x.y\r+ 2', tokens: 'RETURN 1 + 2', why: 'a carriage return ends it too' },
  { statement: 'LOAD/* x\n */CSV', tokens: 'LOAD CSV', why: 'a comment separates words' },
  { statement: 'LOAD\u00a0\u2003CSV', tokens: 'LOAD CSV', why: 'white space beyond ASCII separates words' },
  { statement: "RETURN 'open", tokens: "RETURN '", why: 'what is not closed ends with the text' },
  {
    statement: 'MATCH (größe:Ünï) RETURN größe',
    tokens: 'MATCH ( größe : Ünï ) RETURN größe',
    why: 'letters of any script',
  },
];

test('a statement is read as tokens the way Neo4j reads it', () => {
  for (const { statement, tokens, why } of TOKENS) {
    const read = readTokens(statement).map(({ text }) => text);
    assert.equal(read.join(' '), tokens, why);
  }
});

test('a quoted name is told from a keyword', () => {
  assert.deepEqual(
    readTokens('`LOAD` LOAD').map(({ kind }) => kind),
    ['quoted', 'word'],
  );
});

const READINGS: { statement: string; has: string; why: string }[] = [
  { statement: 'RETURN 1', has: 'RETURN 1', why: 'nothing to replace' },
  { statement: String.raw`L\u004fAD`, has: 'LOAD', why: 'Neo4j 5 replaces escapes everywhere' },
  { statement: String.raw`'\u0027`, has: `''`, why: 'also where that ends a string' },
  {
    statement: String.raw`'\\u0027`,
    has: String.raw`'\\u0027`,
    why: 'later versions leave an escaped backslash alone',
  },
];

test('a statement with unicode escapes has each reading that a version may give it', () => {
  for (const { statement, has, why } of READINGS) assert.ok(readingsOf(statement).includes(has), why);
});

test('a long statement of unclosed parts is read in a blink', () => {
  const started = performance.now();
  for (const part of ["'\\", '/*', '`', '//', '"', 'a.', '\\u0041']) readTokens(part.repeat(200_000));
  assert.ok(performance.now() - started < 5_000);
});
