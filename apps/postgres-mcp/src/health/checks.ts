/** The checks of the database's health by name, and how one is run. */
import { ToolError, toErrorText } from '@database-mcp/errors';
import { readRows } from '../catalog.ts';
import type { Database } from '../database.ts';
import { describeRole, type Access } from '../role.ts';
import type { StatementGuard } from '../statement-guard.ts';
import { cache, connections, locks } from './activity-checks.ts';
import { SEVERITIES, type Finding, type HealthCheck, type ServerFacts, type Severity } from './finding.ts';
import { replication } from './replication-check.ts';
import { adviseForStatements } from './statement-advice.ts';
import { FACTS_SQL, indexAdvice, statements } from './statement-checks.ts';
import { indexes, vacuum } from './storage-checks.ts';

const CHECKS = {
  connections,
  cache,
  indexes,
  vacuum,
  locks,
  replication,
  statements,
  index_advice: indexAdvice,
} satisfies Record<string, HealthCheck>;

/** All names, in the order in which they are run. */
export const CHECK_NAMES = ['role', ...Object.keys(CHECKS)] as ['role', ...(keyof typeof CHECKS)[]];
export type CheckName = (typeof CHECK_NAMES)[number];

/** A check tells at most so many findings of each of its kinds, and has a few kinds. */
const MAX_ROWS = 100;

/** What is looked at, and for whom. */
export interface HealthContext {
  database: Database;
  guard: StatementGuard;
  access: Access;
  signal: AbortSignal;
}

/** Reads what the checks need to know before. */
export async function readServerFacts({ database, signal }: HealthContext): Promise<ServerFacts> {
  const [row = []] = await readRows(database, FACTS_SQL, [], signal, 1);
  const [role, seesAllSessions, statementsSchema] = row;
  return {
    role: String(role),
    seesAllSessions: seesAllSessions === true,
    statementsSchema: statementsSchema === null ? undefined : String(statementsSchema),
  };
}

/** Runs one check; one that fails says so and the others go on. Rejects only when the call is aborted. */
export async function runCheck(name: CheckName, facts: ServerFacts, context: HealthContext): Promise<Finding[]> {
  try {
    if (name === 'role') return await checkRole(context);
    const found = await runSql(CHECKS[name], facts, context);
    return name === 'index_advice' ? addAdvice(found, await adviseForStatements(context, facts)) : found;
  } catch (error) {
    if (context.signal.aborted || !(error instanceof ToolError)) throw error;
    return [{ severity: 'not run', finding: 'The check failed.', evidence: toErrorText(error) }];
  }
}

const optional = (cell: unknown): string | undefined => (typeof cell === 'string' ? cell : undefined);

async function runSql(check: HealthCheck, facts: ServerFacts, { database, signal }: HealthContext): Promise<Finding[]> {
  const sql = check.sql(facts);
  const rows = sql === undefined ? [] : await readRows(database, sql, [], signal, MAX_ROWS);
  const found = rows.map(([severity, finding, evidence, fix]): Finding => ({
    severity: toSeverity(severity),
    finding: String(finding),
    evidence: optional(evidence),
    fix: optional(fix),
  }));
  const missing = check.missing?.(facts) ?? [];
  if (found.length === 0 && sql !== undefined) {
    found.push({
      severity: 'ok',
      finding: missing.length === 0 ? check.ok : 'Nothing is wrong with what can be seen.',
    });
  }
  return [...found, ...missing];
}

function addAdvice(found: Finding[], advice: Finding[]): Finding[] {
  return advice.length === 0 ? found : [...found.filter(({ severity }) => severity !== 'ok'), ...advice];
}

function toSeverity(text: unknown): Severity {
  const severity = SEVERITIES.find((each) => each === text);
  if (severity === undefined) throw new Error(`a check gave the severity ${String(text)}`);
  return severity;
}

async function checkRole({ database, access, signal }: HealthContext): Promise<Finding[]> {
  const { product, role, warnings } = await describeRole(database, signal, access);
  const evidence = `${role} on ${product}`;
  if (warnings.length === 0) {
    return [{ severity: 'ok', finding: 'The role of this server can do no more than it needs.', evidence }];
  }
  return warnings.map((warning) => ({
    severity: warning.includes('superuser') ? 'critical' : 'warning',
    finding: `The role of this server can do more than it needs: ${warning}.`,
    evidence,
    fix: '-- a proper role: npm run --silent postgres-mcp -- --print-role-sql | psql',
  }));
}
