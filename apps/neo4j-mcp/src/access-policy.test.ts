import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkAccess, type PlanOperator, type StatementPlan } from './access-policy.ts';

/** `Name details` for each operator, as EXPLAIN of Neo4j 5.26 gives them. */
function planOf(queryType: string, ...operators: string[]): StatementPlan {
  return {
    queryType,
    operators: operators.map((text, depth): PlanOperator => {
      const [name = '', ...details] = text.split(' ');
      return { name, details: details.join(' '), depth, estimatedRows: 1 };
    }),
  };
}

const RETURN = planOf('r', 'ProduceResults x', 'Projection 1 AS x');

const REFUSED: { statement: string; plan: StatementPlan; says: RegExp; why: string }[] = [
  {
    statement: 'CREATE (n)',
    plan: planOf('w', 'EmptyResult', 'Create (n)'),
    says: /create \(n\)/,
    why: 'a write; the place names it',
  },
  {
    statement: 'MATCH (n) DETACH DELETE n RETURN 1',
    plan: planOf('rw', 'DetachDelete n'),
    says: /detach delete/,
    why: 'reads and writes',
  },
  {
    statement: 'CREATE INDEX',
    plan: planOf('s', 'CreateIndex'),
    says: /schema or administration/,
    why: 'a schema change',
  },
  {
    statement: 'SHOW USERS',
    plan: planOf('s', 'AdministrationCommand'),
    says: /administration/,
    why: 'cannot be told from CREATE USER',
  },
  { statement: 'SHOW SETTINGS', plan: planOf('r', 'ShowSettings'), says: /show settings/, why: 'about the server' },
  {
    statement: 'SHOW TRANSACTIONS',
    plan: planOf('r', 'ShowTransactions'),
    says: /show transactions/,
    why: "shows others' statements",
  },
  {
    statement: 'TERMINATE TRANSACTIONS "x"',
    plan: planOf('r', 'TerminateTransactions'),
    says: /terminate/,
    why: 'is type r for Neo4j',
  },
  {
    statement: 'LOAD CSV FROM "f" AS l RETURN l',
    plan: planOf('r', 'LoadCSV l'),
    says: /LOAD CSV/,
    why: 'is type r for Neo4j',
  },
  { statement: 'x', plan: planOf('r', 'LoadCSV l'), says: /LOAD CSV/, why: 'the plan alone is enough' },
  {
    statement: 'RETURN [x IN [1] | COLLECT { LOAD CSV FROM "f" AS l RETURN l }]',
    plan: RETURN,
    says: /LOAD CSV/,
    why: 'a subquery in an expression has no operator',
  },
  {
    statement: String.raw`RETURN [x IN [1] | COUNT { L\u004fAD CSV FROM 'f' AS l RETURN l }]`,
    plan: RETURN,
    says: /LOAD CSV/,
    why: 'written with an escape',
  },
  {
    statement: String.raw`RETURN '\u0027, [x IN [1] | COUNT { LOAD CSV FROM 'f' AS l RETURN l }]`,
    plan: RETURN,
    says: /LOAD CSV/,
    why: 'an escape ends the string before it',
  },
  {
    statement: String.raw`RETURN '\\u0027', [x IN [1] | COUNT { LOAD CSV FROM 'f' AS l RETURN l }]`,
    plan: RETURN,
    says: /LOAD CSV/,
    why: 'this one does not',
  },
  {
    statement: 'RETURN COUNT { LOAD /* */ \u2003 csv FROM "f" AS l RETURN l }',
    plan: RETURN,
    says: /LOAD CSV/,
    why: 'separated in another way',
  },
  {
    statement: 'x',
    plan: planOf('r', 'Projection [x IN $a | COLLECT { LOAD CSV FROM "f" AS l RETURN l AS l }]'),
    says: /LOAD CSV/,
    why: 'the plan shows the expression',
  },
  {
    statement: 'CALL apoc.load.json("file:///etc/passwd")',
    plan: planOf('r', 'ProcedureCall apoc.load.json($a) :: (value :: MAP)'),
    says: /apoc\.load\.json/,
    why: 'files and network',
  },
  {
    statement: 'CALL db.clearQueryCaches()',
    plan: planOf('s', 'ProcedureCall db.clearQueryCaches() :: (value :: STRING)'),
    says: /clearQueryCaches/,
    why: 'READ access mode allows it',
  },
  {
    statement: 'CALL dbms.listConfig()',
    plan: planOf('s', 'ProcedureCall dbms.listConfig() :: (name :: STRING)'),
    says: /listConfig/,
    why: 'about the server',
  },
  {
    statement: 'RETURN [x IN [1] | COUNT { CALL `apoc` . `load`.json("f") YIELD value RETURN value }]',
    plan: RETURN,
    says: /apoc\.load\.json/,
    why: 'quoted, and with no operator',
  },
  {
    statement: 'x',
    plan: planOf('r', 'Filter EXISTS { ResolvedCall(apoc.load.json(url :: STRING) :: value :: MAP,ArraySeq()) }'),
    says: /apoc\.load\.json/,
    why: 'the plan shows the expression',
  },
  {
    statement: 'CALL db.labels_evil()',
    plan: planOf('r', 'ProcedureCall db.labels_evil() :: ()'),
    says: /db\.labels_evil/,
    why: 'no prefix of an exact name',
  },
  {
    statement: 'RETURN apoc.cypher.runFirstColumnSingle("LOAD CSV …", {})',
    plan: RETURN,
    says: /runFirstColumnSingle/,
    why: 'a function that runs statements',
  },
  {
    statement: 'RETURN `apoc`.`cypher`.`runFirstColumn` ("…", {})',
    plan: RETURN,
    says: /runFirstColumn/,
    why: 'the same, quoted',
  },
  { statement: 'MATCH (n)', plan: planOf('r'), says: /no plan/, why: 'without a plan nothing is known' },
  {
    statement: 'x',
    plan: planOf('', 'ProduceResults'),
    says: /change the graph/,
    why: 'an unknown type is no reading',
  },
];

const ALLOWED: { statement: string; plan: StatementPlan; why: string }[] = [
  { statement: 'RETURN 1', plan: RETURN, why: 'the simplest one' },
  {
    statement: "RETURN 'CREATE (n) DELETE LOAD CSV CALL apoc.load.json()' AS s",
    plan: RETURN,
    why: 'words in a string',
  },
  {
    statement: 'MATCH (n:`DELETE`) WHERE n.`load csv` = 1 RETURN n.set, n.delete AS `LOAD CSV`',
    plan: RETURN,
    why: 'words as names',
  },
  { statement: '// CALL apoc.load.json("x")\nRETURN 1 /* LOAD CSV */', plan: RETURN, why: 'words in comments' },
  {
    statement: 'MATCH (load)-[csv]->() RETURN load, csv',
    plan: RETURN,
    why: 'both words, but not one after the other',
  },
  {
    statement: 'CALL db.labels()',
    plan: planOf('r', 'ProcedureCall db.labels() :: (label :: STRING)'),
    why: 'reads names',
  },
  {
    statement: 'CALL db.schema.visualization()',
    plan: planOf('r', 'ProcedureCall db.schema.visualization() :: ()'),
    why: 'reads the schema',
  },
  {
    statement: 'CALL db.index.fulltext.queryNodes("i", "q")',
    plan: planOf('r', 'ProcedureCall db.index.fulltext.queryNodes($a, $b) :: ()'),
    why: 'searches',
  },
  {
    statement: 'CALL dbms.components()',
    plan: planOf('s', 'ProduceResults', 'ProcedureCall dbms.components() :: ()'),
    why: 'type s, but allowed by name',
  },
  { statement: 'CALL { MATCH (n) RETURN n.x AS x } RETURN x', plan: RETURN, why: 'a subquery is no procedure' },
  { statement: 'WITH 1 AS call RETURN call', plan: RETURN, why: 'a variable named call' },
  { statement: 'SHOW INDEXES', plan: planOf('r', 'ShowIndexes allIndexes'), why: 'about the graph' },
  {
    statement: "RETURN date.truncate('day', date()), point.distance($a, $b), duration.between($c, $d)",
    plan: RETURN,
    why: 'functions of Neo4j',
  },
  {
    statement: 'MATCH (n) WHERE n.a IN [1] AND (n.b) RETURN n.c',
    plan: RETURN,
    why: 'properties before brackets are no functions',
  },
];

test('statements that write or reach outside of the graph are refused with what and what to do', () => {
  for (const { statement, plan, says, why } of REFUSED) {
    const verdict = checkAccess(statement, plan);
    assert.ok(verdict.kind === 'refused', `${statement} was allowed: ${why}`);
    assert.match(`${verdict.message} ${verdict.where}`, says, why);
    assert.ok(verdict.hint.length > 0, why);
  }
});

test('statements that only read are allowed, whatever words they hold', () => {
  for (const { statement, plan, why } of ALLOWED) {
    assert.deepEqual(checkAccess(statement, plan), { kind: 'allowed' }, `${statement}: ${why}`);
  }
});
