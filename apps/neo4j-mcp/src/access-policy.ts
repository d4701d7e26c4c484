/**
 * What a statement may do on a server that only reads. Pure: statement and plan in, verdict out. The database refuses
 * writes by itself (READ access mode); this says so earlier and with a reason, and refuses what Neo4j counts as reading
 * but reaches outside of the graph: files, the network, settings and other users' work.
 */
import { readingsOf, readPath, readTokens, type CypherToken } from './cypher-tokens.ts';

/** One operator of a plan. */
export interface PlanOperator {
  /** Without the database: `AllNodesScan`. */
  name: string;
  details: string;
  /** Distance from the root. */
  depth: number;
  estimatedRows: number;
}

/** What `EXPLAIN` says about a statement. */
export interface StatementPlan {
  /** `r`, `w`, `rw`, or `s` for schema and administration. */
  queryType: string;
  operators: readonly PlanOperator[];
}

/** The answer of the policy; a refusal is written for the person who sent the statement. */
export type Verdict = { kind: 'allowed' } | { kind: 'refused'; message: string; where?: string; hint: string };

const ALLOWED_PROCEDURES = [
  'db.labels',
  'db.relationshipTypes',
  'db.propertyKeys',
  'db.schema.*',
  'db.index.fulltext.query*',
  'db.index.fulltext.listAvailableAnalyzers',
  'db.index.vector.query*',
  'db.info',
  'db.ping',
  'dbms.components',
];
/** `SHOW` commands that tell about the graph only, by the operator that runs them. */
const ALLOWED_COMMANDS = new Set(['ShowIndexes', 'ShowConstraints', 'ShowProcedures', 'ShowFunctions']);
/** Operators beside a procedure call of type `s` (such as dbms.components) that cannot administrate. */
const PLAIN_OPERATORS = new Set([
  'ProduceResults',
  'ProcedureCall',
  'Projection',
  'Filter',
  'Sort',
  'Limit',
  'Argument',
]);
/** Namespaces of Neo4j's own functions; functions of plugins (apoc.cypher.runFirstColumn) can run statements. */
const FUNCTION_NAMESPACES = new Set(
  'date datetime localdatetime localtime time duration point vector graph db coll string'.split(' '),
);
const WRITE_OPERATOR = /^(Create|Merge|Set|Remove|Delete|DetachDelete|Foreach)/;
const READ_ONLY_HINT = 'This server only reads. Ask with MATCH … RETURN instead.';

/** Decides whether a statement may run. */
export function checkAccess(statement: string, plan: StatementPlan): Verdict {
  return (
    checkReach(statement, plan) ??
    checkProcedures(statement, plan) ??
    checkFunctions(statement) ??
    checkCommands(plan) ??
    checkQueryType(plan) ?? { kind: 'allowed' }
  );
}

function checkReach(statement: string, plan: StatementPlan): Verdict | undefined {
  const loads =
    plan.operators.some(({ name, details }) => name === 'LoadCSV' || hasLoadCsv(readTokens(details))) ||
    readingsOf(statement).some((reading) => hasLoadCsv(readTokens(reading)));
  if (!loads) return undefined;
  return {
    kind: 'refused',
    message: 'LOAD CSV reads files or the network of the database server, which is not allowed here.',
    where: 'LOAD CSV',
    hint: 'Pass the data as `params` and read them with UNWIND $rows AS row.',
  };
}

/** Inside of an expression (`[x IN xs | COLLECT { … }]`) a subquery has no operators in the plan. */
function hasLoadCsv(tokens: readonly CypherToken[]): boolean {
  return tokens.some((token, index) => isKeyword(token, 'LOAD') && isKeyword(tokens[index + 1], 'CSV'));
}

function checkProcedures(statement: string, plan: StatementPlan): Verdict | undefined {
  const fromPlan = plan.operators.flatMap(({ name, details }) => [
    ...(name === 'ProcedureCall' ? [/^[^(]*/.exec(details)?.[0].trim() ?? ''] : []),
    ...[...details.matchAll(/ResolvedCall\(([^(]*)\(/g)].map((match) => match[1] ?? ''),
  ]);
  const named = readingsOf(statement).flatMap((reading) => calledProcedures(readTokens(reading)));
  const refused = [...fromPlan, ...named].find((procedure) => !isAllowedProcedure(procedure));
  if (refused === undefined) return undefined;
  return {
    kind: 'refused',
    message: `The procedure ${refused} is not among those that are known to read only the graph.`,
    where: `CALL ${refused}`,
    hint: `Allowed: ${ALLOWED_PROCEDURES.join(', ')}.`,
  };
}

function isAllowedProcedure(name: string): boolean {
  return ALLOWED_PROCEDURES.some((allowed) =>
    allowed.endsWith('*') ? name.startsWith(allowed.slice(0, -1)) : name === allowed,
  );
}

/** Procedures always have a namespace; `CALL {` and `CALL (n) {` are subqueries, and `call` may be a variable. */
function calledProcedures(tokens: readonly CypherToken[]): string[] {
  return tokens.flatMap((token, index) => {
    const path = isKeyword(token, 'CALL') ? readPath(tokens, index + 1) : [];
    return path.length > 1 ? [path.join('.')] : [];
  });
}

function checkFunctions(statement: string): Verdict | undefined {
  for (const reading of readingsOf(statement)) {
    const tokens = readTokens(reading);
    for (let index = 0; index < tokens.length; index++) {
      const path = readPath(tokens, index);
      const end = index + path.length * 2 - 1;
      if (path.length < 2) continue;
      const isCalled = tokens[end]?.text === '(' && !isKeyword(tokens[index - 1], 'CALL');
      if (isCalled && !FUNCTION_NAMESPACES.has((path[0] ?? '').toLowerCase())) {
        return {
          kind: 'refused',
          message: `The function ${path.join('.')} is not one of Neo4j's own, so that nothing says what it does.`,
          where: `${path.join('.')}(`,
          hint: 'Use built-in functions; SHOW BUILT IN FUNCTIONS lists them.',
        };
      }
      index = end - 1;
    }
  }
  return undefined;
}

function checkCommands({ operators }: StatementPlan): Verdict | undefined {
  const refused = operators.find(({ name }) => /^(Show|Terminate)/.test(name) && !ALLOWED_COMMANDS.has(name));
  if (!refused) return undefined;
  return {
    kind: 'refused',
    message: `This command tells about or changes the server, not the graph (${toWords(refused.name)}).`,
    where: toWords(refused.name),
    hint: 'Allowed: SHOW INDEXES, SHOW CONSTRAINTS, SHOW PROCEDURES, SHOW FUNCTIONS.',
  };
}

function checkQueryType({ queryType, operators }: StatementPlan): Verdict | undefined {
  if (operators.length === 0) {
    return {
      kind: 'refused',
      message: 'Neo4j gave no plan for this statement, so that nothing says what it does.',
      hint: READ_ONLY_HINT,
    };
  }
  if (queryType === 'r') return undefined;
  if (queryType === 's') {
    const isPlainCall = operators.every(({ name }) => PLAIN_OPERATORS.has(name));
    if (isPlainCall && operators.some(({ name }) => name === 'ProcedureCall')) return undefined;
    return {
      kind: 'refused',
      message: 'This is a schema or administration command, and this server only reads the graph.',
      where: toWords(operators.find(({ name }) => !PLAIN_OPERATORS.has(name))?.name ?? ''),
      hint: 'Allowed: MATCH … RETURN, SHOW INDEXES, SHOW CONSTRAINTS, SHOW PROCEDURES, SHOW FUNCTIONS.',
    };
  }
  const write = operators.find(({ name }) => WRITE_OPERATOR.test(name));
  return {
    kind: 'refused',
    message: 'The statement would change the graph, and this server only reads it.',
    ...(write ? { where: `${toWords(write.name)} ${write.details}`.slice(0, 200) } : {}),
    hint: READ_ONLY_HINT,
  };
}

/** `DetachDelete` → `detach delete`. */
function toWords(operator: string): string {
  return operator.replace(/(?<=[a-z])(?=[A-Z])/g, ' ').toLowerCase();
}

function isKeyword(token: CypherToken | undefined, keyword: string): boolean {
  return token?.kind === 'word' && token.text.toUpperCase() === keyword;
}
