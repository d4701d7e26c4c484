/**
 * Neo4j over Bolt: the only file that knows the driver. Owns connections, sessions (one a call, READ access mode), the
 * end of a statement when its caller goes away, and the bound on what is fetched; what values and errors mean is told
 * by the files beside it.
 */
import neo4j, { type Driver, type Notification, type Plan, type Result, type Session } from 'neo4j-driver';
import { ToolError } from '@database-mcp/errors';
import {
  createDatabaseTelemetry,
  type Cell,
  type Column,
  type DatabaseTelemetry,
  type OperationReport,
} from '@database-mcp/mcp-kit';
import { NO_TELEMETRY, type Telemetry } from '@database-mcp/telemetry';
import type { PlanOperator, StatementPlan, Verdict } from './access-policy.ts';
import { guardConnections } from './bolt-guards.ts';
import { codeOf, toToolError, toUnreadableValueError } from './database-errors.ts';
import { describeStatement } from './describe-statement.ts';
import type { Parameters } from './parameters.ts';
import { readPool } from './pool-state.ts';
import { NULL_TYPE, toTypedCell, unifyTypes, type ValueKind } from './values.ts';

/** Where Neo4j is, who logs in, and how long a statement may take. */
export interface DatabaseOptions {
  uri: string;
  username: string;
  password?: string | undefined;
  database?: string | undefined;
  timeoutMs: number;
  /** Default: none. */
  telemetry?: Telemetry;
}

/** A statement to read with. */
export interface Statement {
  cypher: string;
  params?: Parameters;
  /** Decides on the plan before anything runs; statements of our own need none. */
  check?: (plan: StatementPlan) => Verdict;
}

/** What came with the rows. */
export interface ReadOutcome {
  columns: Column[];
  /** Remarks on the statement; only with a check. */
  remarks: Remark[];
}

/** A remark of Neo4j on a statement. */
export interface Remark {
  code: string;
  text: string;
}

/** What names are listed. */
export type NameKind = 'label' | 'type' | 'property';

/** What this server is connected to, for the log. */
export interface DatabaseRole {
  server: string;
  version: string;
  /** A sentence about what the login may do. */
  access: string;
}

/** The operations that tools need. Each ends its statement when the signal, which is that of a call, is aborted. */
export interface Database {
  /** Gives rows to `take` until it answers false, and fetches hardly more than that. */
  read(statement: Statement, take: (row: Cell[]) => boolean, signal: AbortSignal): Promise<ReadOutcome>;
  /** Names in use, at most some seconds old. */
  listNames(kind: NameKind, signal: AbortSignal): Promise<readonly string[]>;
  describeRole(signal: AbortSignal): Promise<DatabaseRole>;
  /** Rejects when Neo4j cannot be used now. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

const DEFAULT_PORT = 7687;
/** Rows in one batch. 10 to 1000 made little difference in time (25–40 ms for 1001 rows); few rows bound the memory. */
const FETCH_SIZE = 10;
const MAX_CONNECTIONS = 10;
/** A host that does not answer at all is told within two seconds. */
const CONNECT_TIMEOUT_MS = 1_500;
const ACQUIRE_TIMEOUT_MS = 1_900;
const PING_TIMEOUT_MS = 2_000;
const CLOSE_TIMEOUT_MS = 2_000;
/** A connection that was idle for longer is tried before it is used: firewalls forget such connections silently. */
const IDLE_CHECK_MS = 30_000;
/** Neo4j's own clock ends a statement whose server of ours has died; ours, a little later, ends all others. */
const TIMEOUT_MARGIN_MS = 500;
const NAMES_TTL_MS = 10_000;
/** Enough names for a suggestion. */
const MAX_NAMES = 5_000;

/** A line of its own, so that columns in errors stay right. */
const EXPLAIN = 'EXPLAIN\n';

/** Connects lazily: creating it neither fails nor waits. */
export function createDatabase(options: DatabaseOptions): Database {
  const driver = openDriver(options);
  const withSession = createSessions(driver, options.database);
  const telemetry = openTelemetry(options);
  telemetry.observePool(() => readPool(driver, MAX_CONNECTIONS));
  const timeout = BigInt(Math.max(options.timeoutMs - TIMEOUT_MARGIN_MS, Math.ceil(options.timeoutMs / 2)));
  const run = (session: Session, cypher: string, params: Parameters = {}): Result =>
    session.run(cypher, params, { timeout });

  const observe = <T>(signal: AbortSignal, cypher: string, work: (report: OperationReport) => Promise<T>) =>
    telemetry.observe({ signal, describe: () => describeStatement(cypher) }, work);

  const database: Database = {
    read: ({ cypher, params, check }, take, signal) =>
      withSession(signal, async (session) => {
        let remarks: Remark[] = [];
        if (check) {
          const explain = EXPLAIN + cypher;
          const summary = await observe(signal, explain, () => mapErrors(run(session, explain, params).summary(), 1));
          refuseUnlessAllowed(check({ queryType: summary.queryType, operators: toOperators(summary.plan) }));
          remarks = summary.notifications.map(toRemark);
        }
        const columns = await observe(signal, cypher, (report) =>
          mapErrors(takeRows(run(session, cypher, params), countRows(take, report))),
        );
        return { columns, remarks };
      }),
    listNames: createNameLists((cypher, take, signal) => database.read({ cypher }, take, signal)),
    async describeRole(signal) {
      const [component] = await readAll(database, 'CALL dbms.components() YIELD name, versions, edition', signal);
      const [user] = await readAll(database, 'SHOW CURRENT USER YIELD user, roles', signal);
      const [server, versions, edition] = component ?? [];
      const version = Array.isArray(versions) ? String(versions[0]) : 'unknown';
      return { server: `${String(server)} ${String(edition)}`, version, access: describeAccess(user?.[1]) };
    },
    ping: () =>
      mapErrors(bounded(driver.getServerInfo({ database: options.database }), PING_TIMEOUT_MS)).then(() => {}),
    // A statement that is still running would keep the driver waiting.
    close: () => bounded(driver.close(), CLOSE_TIMEOUT_MS).catch(() => {}),
  };
  return database;
}

function openDriver({ uri, username, password }: DatabaseOptions): Driver {
  const login = password === undefined ? undefined : neo4j.auth.basic(username, password);
  const driver = neo4j.driver(uri, login, {
    useBigInt: true,
    fetchSize: FETCH_SIZE,
    maxConnectionPoolSize: MAX_CONNECTIONS,
    connectionTimeout: CONNECT_TIMEOUT_MS,
    connectionAcquisitionTimeout: ACQUIRE_TIMEOUT_MS,
    connectionLivenessCheckTimeout: IDLE_CHECK_MS,
    maxTransactionRetryTime: 0,
    telemetryDisabled: true,
    userAgent: 'database-mcp-neo4j',
  });
  guardConnections(driver);
  return driver;
}

function openTelemetry({ uri, database, telemetry = NO_TELEMETRY }: DatabaseOptions): DatabaseTelemetry {
  const { hostname, port } = new URL(uri);
  return createDatabaseTelemetry(
    {
      system: 'neo4j',
      namespace: database,
      address: hostname,
      port: port === '' ? DEFAULT_PORT : Number(port),
      defaultPort: DEFAULT_PORT,
      statusOf: codeOf,
    },
    telemetry,
  );
}

function countRows(take: (row: Cell[]) => boolean, report: OperationReport): (row: Cell[]) => boolean {
  report.rows = 0;
  return (row) => {
    report.rows = (report.rows ?? 0) + 1;
    return take(row);
  };
}

type WithSession = <T>(signal: AbortSignal, work: (session: Session) => Promise<T>) => Promise<T>;

/** One session a call. Closing it is what ends a statement on the server, at once, also in the middle of a result. */
function createSessions(driver: Driver, database: string | undefined): WithSession {
  return async (signal, work) => {
    signal.throwIfAborted();
    const session = driver.session({ defaultAccessMode: neo4j.session.READ, database, fetchSize: FETCH_SIZE });
    const { promise: aborted, reject } = Promise.withResolvers<never>();
    const end = (): void => {
      session.close().then(() => reject(signal.reason), reject);
    };
    signal.addEventListener('abort', end, { once: true });
    try {
      return await Promise.race([work(session), aborted]);
    } finally {
      signal.removeEventListener('abort', end);
      await Promise.race([session.close(), aborted]).catch(() => {});
    }
  };
}

/** Takes rows one at a time. The iterator is left as it is when enough is taken: closing the session discards the rest. */
async function takeRows(result: Result, take: (row: Cell[]) => boolean): Promise<Column[]> {
  const rows = result[Symbol.asyncIterator]();
  let names: string[] | undefined;
  let types: string[] = [];
  for (;;) {
    const step = await rows.next();
    if (step.done) {
      const { plan } = step.value;
      if (names === undefined && plan) return takePlan(toOperators(plan), take);
      break;
    }
    names ??= step.value.keys.map(String);
    const row: Cell[] = [];
    const seen = names.map((name, index) => {
      const { cell, type } = readValue(step.value.get(index), name);
      row.push(cell);
      return unifyTypes(types[index] ?? NULL_TYPE, type);
    });
    if (!take(row)) break;
    types = seen;
  }
  names ??= await result.keys();
  return names.map((name, index) => ({ name, type: types[index] ?? NULL_TYPE }));
}

function readValue(value: unknown, column: string): { cell: Cell; type: string } {
  try {
    return toTypedCell(value, kindOf);
  } catch (error) {
    throw toUnreadableValueError(column, error);
  }
}

/** A statement that begins with EXPLAIN has a plan in place of rows. */
function takePlan(operators: readonly PlanOperator[], take: (row: Cell[]) => boolean): Column[] {
  for (const { name, details, depth, estimatedRows } of operators) {
    if (!take([depth, name, details, Number.isFinite(estimatedRows) ? estimatedRows : null])) break;
  }
  return [
    { name: 'depth', type: 'INTEGER' },
    { name: 'operator', type: 'STRING' },
    { name: 'details', type: 'STRING' },
    { name: 'estimatedRows', type: 'FLOAT' },
  ];
}

function toOperators(plan: Plan | false, depth = 0): PlanOperator[] {
  if (!plan) return [];
  const { Details: details, EstimatedRows: rows } = plan.arguments as Record<string, unknown>;
  const name = plan.operatorType.replace(/@.*$/, '');
  const operator = { name, details: typeof details === 'string' ? details : '', depth, estimatedRows: Number(rows) };
  return [operator, ...plan.children.flatMap((child) => toOperators(child, depth + 1))];
}

function toRemark({ code, description }: Notification): Remark {
  return { code, text: description };
}

function refuseUnlessAllowed(verdict: Verdict): void {
  if (verdict.kind === 'allowed') return;
  const { message, where, hint } = verdict;
  throw new ToolError({ code: 'READ_ONLY', message, hint, ...(where ? { where } : {}) });
}

const NAME_QUERIES: Readonly<Record<NameKind, string>> = {
  label: 'CALL db.labels()',
  type: 'CALL db.relationshipTypes()',
  property: 'CALL db.propertyKeys()',
};

function createNameLists(
  read: (cypher: string, take: (row: Cell[]) => boolean, signal: AbortSignal) => Promise<unknown>,
): Database['listNames'] {
  const cache = new Map<NameKind, { names: readonly string[]; until: number }>();
  return async (kind, signal) => {
    const cached = cache.get(kind);
    if (cached && cached.until > performance.now()) return cached.names;
    const names: string[] = [];
    await read(NAME_QUERIES[kind], ([name]) => names.push(String(name)) < MAX_NAMES, signal);
    names.sort();
    cache.set(kind, { names, until: performance.now() + NAMES_TTL_MS });
    return names;
  };
}

async function readAll(database: Database, cypher: string, signal: AbortSignal): Promise<Cell[][]> {
  const rows: Cell[][] = [];
  await database.read({ cypher }, (row) => rows.push(row) < 100, signal);
  return rows;
}

/** Roles exist in the Enterprise edition only; in the Community edition every login may do everything. */
function describeAccess(roles: Cell | undefined): string {
  if (!Array.isArray(roles)) {
    return 'Every login of this edition may write. This server only reads: its sessions are in READ access mode.';
  }
  const names = roles.map(String).filter((role) => role !== 'PUBLIC');
  if (names.join() === 'reader') return 'The login may only read (role reader).';
  return `The login has the roles ${names.join(', ')}. This server only reads: the role reader is enough.`;
}

function kindOf(value: object): ValueKind {
  if (neo4j.isNode(value)) return 'node';
  if (neo4j.isRelationship(value)) return 'relationship';
  if (neo4j.isPath(value)) return 'path';
  if (neo4j.isPoint(value)) return 'point';
  if (neo4j.isDateTime(value)) return 'date-time';
  if (neo4j.isDate(value)) return 'date';
  if (neo4j.isLocalDateTime(value)) return 'local-date-time';
  if (neo4j.isTime(value)) return 'time';
  if (neo4j.isLocalTime(value)) return 'local-time';
  if (neo4j.isDuration(value)) return 'duration';
  if (neo4j.isVector(value)) return 'vector';
  return Object.getPrototypeOf(value) === Object.prototype ? 'map' : 'text';
}

async function mapErrors<T>(promise: Promise<T>, addedLines = 0): Promise<T> {
  try {
    return await promise;
  } catch (error) {
    throw toToolError(error, { addedLines }) ?? error;
  }
}

/** Rejects when the promise does not settle in time; what it does later is nobody's business any more. */
async function bounded<T>(promise: Promise<T>, limitMs: number): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const message = 'Neo4j did not answer in time.';
  const timer = setTimeout(() => reject(new ToolError({ code: 'UNAVAILABLE', message })), limitMs);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
