/** The documents lead where they say: links, decisions by number, and the paths that they name. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { glob, readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { repositoryRoot } from '@database-mcp/testing';

const DECISIONS = 'docs/adr';
const LINK = /\]\((?!https?:|#)([^)#\s]+)/g;
/** A path of the repository in backticks; those with a placeholder are patterns. */
const NAMED_PATH = /`((?:apps|libs|docs|deploy|e2e|bench)\/[\w./-]+)`/g;

const documents = new Map<string, string>();
for await (const path of glob(['*.md', 'docs/**/*.md'], { cwd: repositoryRoot })) {
  documents.set(path, await readFile(join(repositoryRoot, path), 'utf8'));
}

function findMissing(pattern: RegExp, resolve: (found: string, document: string) => string): string[] {
  return [...documents].flatMap(([document, text]) =>
    [...text.matchAll(pattern)].flatMap(([, found = '']) =>
      existsSync(join(repositoryRoot, resolve(found, document))) ? [] : [`${document}: ${found}`],
    ),
  );
}

test('every link of a document leads to a file', () => {
  assert.ok(documents.size > 25, `${documents.size} documents`);
  assert.deepEqual(
    findMissing(LINK, (link, document) => join(dirname(document), link)),
    [],
  );
});

test('every path that a document names is there', () => {
  assert.deepEqual(
    findMissing(NAMED_PATH, (path) => path),
    [],
  );
});

test('every decision has a number of its own, which its title repeats', async () => {
  const files = (await readdir(join(repositoryRoot, DECISIONS))).toSorted();
  const numbers = files.map((file) => Number(file.slice(0, 4)));
  assert.deepEqual(
    numbers,
    files.map((_, index) => index + 1),
  );
  for (const [index, file] of files.entries()) {
    const text = documents.get(join(DECISIONS, file)) ?? '';
    assert.ok(text.startsWith(`# ${index + 1}. `), file);
  }
});

test('a decision that a document speaks of exists', () => {
  const count = [...documents.keys()].filter((path) => path.startsWith(DECISIONS)).length;
  const unknown = [...documents].flatMap(([document, text]) =>
    [...text.matchAll(/\bdecision (\d+)/gi)].flatMap(([mention, number]) =>
      Number(number) <= count ? [] : [`${document}: ${mention}`],
    ),
  );
  assert.deepEqual(unknown, []);
});
