/** The gate: no requirement without proof or reason, no proof that does not exist. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { findPackageJSON } from 'node:module';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { repositoryRoot } from '@database-mcp/testing';
import { EXPECTED_DIFFERENCES } from '../conformance-expected-differences.ts';
import { CONFORMANCE, exception, PAGE, test as testProof, type Proof, type Requirement } from './manifest.ts';
import { REQUIREMENTS } from './requirements.ts';
import { hasTest, readTestTitles } from './test-titles.ts';

function numbered(letter: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${letter}${String(index + 1).padStart(2, '0')}`);
}

test('every requirement of the two checklists is there once, in order', () => {
  assert.deepEqual(
    REQUIREMENTS.map(({ id }) => id),
    [...numbered('S', 50), ...numbered('G', 36)],
  );
});

/** The scenarios of a frozen list of the suite; the package exports none of its files. */
function readScenarios(): string {
  const path = findPackageJSON('@modelcontextprotocol/conformance', import.meta.url);
  assert.ok(path, 'the conformance suite is installed');
  return readFileSync(join(dirname(path), 'requirements', '2026-07-28.yaml'), 'utf8');
}

/** Checks of 2026-07-28 whose verdict through the gateway is another one even with one upstream of the same revision. */
const DIFFERS = EXPECTED_DIFFERENCES.filter(
  ({ settings, revisions }) => revisions.includes('2026-07-28') && settings.includes('one upstream'),
).flatMap(({ checks }) => Object.keys(checks));

/** What is wrong with a proof, or undefined. */
function findProblem(proof: Proof, scenarios: string): string | undefined {
  switch (proof.kind) {
    case 'exception':
      return proof.reason.length > 40 && proof.reason.endsWith('.') ? undefined : 'the reason says too little';
    case 'scenario':
      if (DIFFERS.some((check) => check.startsWith(`${proof.scenario}:`))) {
        return `the scenario ${proof.scenario} is expected to differ through the gateway`;
      }
      return new RegExp(`^ +- (scenario: )?${proof.scenario}$`, 'm').test(scenarios)
        ? undefined
        : `the conformance suite has no scenario ${proof.scenario}`;
    case 'test': {
      const titles = readTestTitles(join(repositoryRoot, proof.file));
      if (!titles) return `there is no file ${proof.file}`;
      return hasTest(titles, proof.title) ? undefined : `${proof.file} has no test "${proof.title}"`;
    }
  }
}

/** What is wrong with a requirement. */
function findProblems({ id, behaviour, link, provenBy }: Requirement, scenarios: string): string[] {
  const problems = provenBy.flatMap((proof) => findProblem(proof, scenarios) ?? []);
  if (provenBy.length === 0) problems.push('has neither a test nor an exception with its reason');
  if (behaviour.length <= 20 || !behaviour.endsWith('.')) problems.push('does not say what happens');
  if (!PAGE_OF_SPECIFICATION.test(link)) problems.push('links to no page of the specification');
  return problems.map((problem) => `${id}: ${problem}`);
}

const PAGE_OF_SPECIFICATION = /^https:\/\/modelcontextprotocol\.io\/specification\/20\d\d-\d\d-\d\d\//;

test('every requirement has a behaviour, a page of the specification, and a proof that exists or the reason why there is none', () => {
  const scenarios = readScenarios();
  assert.deepEqual(
    REQUIREMENTS.flatMap((requirement) => findProblems(requirement, scenarios)),
    [],
  );
});

const PROVEN: Requirement = {
  id: 'X',
  strength: 'M',
  behaviour: 'Something happens, and it is seen.',
  link: PAGE.base,
  provenBy: [testProof('faults', 'calls over limit and queue are refused, exactly those')],
};
const REFUSED: { why: string; part: Partial<Requirement>; problem: RegExp }[] = [
  { why: 'no proof', part: { provenBy: [] }, problem: /^X: has neither a test nor an exception/ },
  {
    why: 'a test that nobody wrote',
    part: { provenBy: [testProof('faults', 'no such test')] },
    problem: /^X: .* has no test "no such test"$/,
  },
  {
    why: 'a file that is not there',
    part: { provenBy: [{ kind: 'test', file: 'e2e/src/no-such.test.ts', title: 'x' }] },
    problem: /^X: there is no file/,
  },
  {
    why: 'a scenario that the suite does not have',
    part: { provenBy: [{ kind: 'scenario', scenario: 'no-such' }] },
    problem: /^X: the conformance suite has no scenario no-such$/,
  },
  {
    why: 'a reason that is none',
    part: { provenBy: [exception('Later.')] },
    problem: /^X: the reason says too little$/,
  },
  { why: 'no behaviour', part: { behaviour: '' }, problem: /^X: does not say what happens$/ },
  { why: 'no page', part: { link: 'https://example.com' }, problem: /^X: links to no page/ },
];

test('the gate passes what is proven', () => {
  assert.deepEqual(findProblems(PROVEN, readScenarios()), []);
});

for (const { why, part, problem } of REFUSED) {
  test(`the gate refuses a requirement with ${why}`, () => {
    const problems = findProblems({ ...PROVEN, ...part }, readScenarios());
    assert.equal(problems.length, 1);
    assert.match(problems[0] ?? '', problem);
  });
}

test('the scenarios are held to their verdicts by tests that exist', () => {
  const titles = readTestTitles(join(repositoryRoot, CONFORMANCE.file));
  assert.ok(titles, CONFORMANCE.file);
  for (const title of CONFORMANCE.titles) assert.ok(hasTest(titles, title), title);
});

const FOUND = [
  { title: 'the matrix has a row for every fault but the flood, which is none', is: true, why: 'the whole title' },
  { title: 'the matrix has a row for every fault', is: true, why: 'how it begins' },
  { title: ' in bounded time, others go on (', is: true, why: 'the fixed part between inserted values' },
  { title: 'a test that nobody wrote', is: false, why: 'no such title' },
  { title: 'the', is: false, why: 'too short to say anything' },
  { title: 'row for every fault but the flood', is: false, why: 'the middle of a whole title' },
];
for (const { title, is, why } of FOUND) {
  test(`"${title}" is ${is ? '' : 'not '}found among the titles of a file: ${why}`, () => {
    const titles = readTestTitles(join(repositoryRoot, 'e2e/src/fault-matrix.test.ts'));
    assert.ok(titles);
    assert.equal(hasTest(titles, title), is);
  });
}
