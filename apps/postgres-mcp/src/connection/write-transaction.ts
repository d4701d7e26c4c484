/**
 * A write in a transaction of its own: questions before and after it, then COMMIT or ROLLBACK as its plan decides. Up to
 * the COMMIT every failure, cancellation and lost connection means that nothing was changed; from there on the database
 * is asked what became of the transaction, and what cannot be found out is said.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { ToolError } from '@database-mcp/errors';
import type { SourceCell } from '@database-mcp/mcp-kit';
import type { Statement } from '../statement.ts';
import { isConnectionError, outcomeUnknown, rolledBackByLoss, standbyTakesNoWrites, stateOf } from '../sql-errors.ts';
import { BEGIN_READ_WRITE, CONTROL_TIMEOUT_MS, toSetUp } from '../transaction.ts';
import { cellMakerOf } from '../values.ts';
import { watchAbort } from './abort.ts';
import { DEFAULT_MAX_VALUE_BYTES } from './message-guard.ts';
import { bindParameters, type Lease, type Types } from './run-statement.ts';
import type { Field } from './statement-exchange.ts';
import { WriteStep, type StepResult } from './write-step.ts';

/** Rows of one of our own questions, as text. */
export type TextRows = (string | null)[][];

/** What is to be done; each question is one statement of ours in the same transaction. */
export interface WritePlan {
  statement: Statement;
  before: { sql: string; params: readonly string[] };
  /** The statement's text with what is added to it; may throw, and then nothing is run. */
  toSql(before: TextRows): string;
  /** Takes the rows that the statement returns. */
  onRow(row: SourceCell[]): void;
  maxValueBytes: number;
  after: string;
  /** Decides between COMMIT and ROLLBACK. `rows` is undefined when Postgres says nothing of rows. */
  shouldCommit(rows: number | undefined): boolean;
}

/** What became of it. */
export interface WriteResult {
  isCommitted: boolean;
  rows: number | undefined;
  fields: readonly Field[];
  before: TextRows;
  after: TextRows;
  /** The statement alone. */
  tookMs: number;
  /** What the database said along the way. */
  notices: string[];
}

/** Thrown when the connection was lost or silent during COMMIT. */
export class CommitInDoubtError extends Error {
  readonly transactionId: string;
  /** What the result is when it was committed after all. */
  readonly result: WriteResult;

  constructor(transactionId: string, result: WriteResult, options: { cause: unknown }) {
    super('the outcome of COMMIT is not known', options);
    this.transactionId = transactionId;
    this.result = result;
  }
}

/** After an abort COMMIT gets so long to answer: less than the grace of the call. */
const COMMIT_GRACE_MS = 500;
const MAX_NOTICES = 5;
const ASK_AGAIN_MS = 50;

const TRANSACTION_ID_SQL = 'SELECT pg_catalog.pg_current_xact_id_if_assigned()::text';

/** Runs it on a connection. Rejects with what the database said, the reason of the signal, or a {@link CommitInDoubtError}. */
export async function runWrite(
  lease: Lease,
  plan: WritePlan,
  signal: AbortSignal,
  context: { deadlineMs: number; types: Types },
): Promise<WriteResult> {
  const notices: string[] = [];
  const onNotice = (notice: { message?: string }): void => {
    if (notices.length < MAX_NOTICES && notice.message) notices.push(`The database says: ${notice.message}`);
  };
  const cancelling = watchAbort(signal, lease.sendCancel);
  const run = async (...step: ConstructorParameters<typeof WriteStep>): Promise<StepResult> => {
    signal.throwIfAborted();
    return await Promise.race([send(lease, new WriteStep(...step)), cancelling.gaveUp]);
  };
  try {
    // Before the transaction, because it may need one of its own.
    const params = await bindParameters(lease, plan.statement, context);
    await begin(lease, run, context.deadlineMs);
    const before = await ask(run, plan.before.sql, plan.before.params);
    const sql = plan.toSql(before);
    lease.client.on('notice', onNotice);
    const started = performance.now();
    const { tag, fields } = await runPlanned(lease, plan, sql, params, run);
    const tookMs = performance.now() - started;
    lease.client.off('notice', onNotice);
    // What is checked at the end of a transaction is checked in a rehearsal too.
    await run('SET CONSTRAINTS ALL IMMEDIATE');
    const after = await ask(run, plan.after);
    const [[id] = []] = await ask(run, TRANSACTION_ID_SQL);
    const rows = /^(?:INSERT \d+|UPDATE|DELETE|MERGE|SELECT) (\d+)$/.exec(tag)?.[1];
    const affected = rows === undefined ? undefined : Number(rows);
    const isCommitted = plan.shouldCommit(affected);
    const result = { isCommitted, rows: affected, fields, before, after, tookMs, notices };
    signal.throwIfAborted();
    // A cancel request must not meet the COMMIT: an abort from here on is waited for and not passed on.
    cancelling.release();
    if (isCommitted) await commit(lease, result, id ?? '', signal);
    else await rollBack(lease);
    return result;
  } finally {
    lease.client.off('notice', onNotice);
    cancelling.release();
    lease.guard.maxValueBytes = DEFAULT_MAX_VALUE_BYTES;
    // Not used again: what a trigger has set for its session outlives a COMMIT, the next write would find its counts of
    // rows, and after an error or an abort the end of the connection is the end of the transaction.
    lease.isBroken = true;
  }
}

type Run = (...step: ConstructorParameters<typeof WriteStep>) => Promise<StepResult>;

async function send(lease: Lease, step: WriteStep): Promise<StepResult> {
  lease.client.query(step);
  return await step.done;
}

/** So that no lock is held any more when the answer comes; the end of the connection does the same a little later. */
async function rollBack(lease: Lease): Promise<void> {
  const late = new AbortController();
  const done = send(lease, new WriteStep('ROLLBACK')).finally(() => late.abort());
  await Promise.race([done, sleep(CONTROL_TIMEOUT_MS, undefined, { signal: late.signal })]).catch(() => {});
}

async function begin(lease: Lease, run: Run, deadlineMs: number): Promise<void> {
  await lease.atRest;
  // One that died unnoticed while it was idle may never answer.
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = lease.isStale ? setTimeout(() => reject(new Error('timeout expired')), CONTROL_TIMEOUT_MS) : undefined;
  const setUp = toSetUp(deadlineMs, lease.holdsSettings, {}, BEGIN_READ_WRITE);
  try {
    for (const sql of setUp) await Promise.race([run(sql), late]);
  } catch (error) {
    // What a standby says to READ WRITE.
    throw stateOf(error) === '0A000' ? standbyTakesNoWrites(error) : error;
  } finally {
    clearTimeout(timer);
  }
  lease.isOpen = true;
}

async function ask(run: Run, sql: string, params: readonly string[] = []): Promise<TextRows> {
  const rows: TextRows = [];
  await run(sql, params, (values) => rows.push(values));
  return rows;
}

async function runPlanned(
  lease: Lease,
  plan: WritePlan,
  sql: string,
  params: (string | null)[],
  run: Run,
): Promise<StepResult> {
  const { guard } = lease;
  guard.maxValueBytes = plan.maxValueBytes;
  let makers: ReturnType<typeof cellMakerOf>[] | undefined;
  const result = await run(sql, params, (values, fields) => {
    makers ??= fields.map((field) => cellMakerOf(field.dataTypeID));
    const { cuts } = guard;
    plan.onRow(
      values.map((text, index) => (text === null ? null : (makers?.[index]?.(text, cuts?.get(index)) ?? text))),
    );
  });
  guard.maxValueBytes = DEFAULT_MAX_VALUE_BYTES;
  return result;
}

async function commit(lease: Lease, result: WriteResult, transactionId: string, signal: AbortSignal): Promise<void> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  let timer: NodeJS.Timeout | undefined;
  const onAbort = (): void => void (timer = setTimeout(() => reject(signal.reason), COMMIT_GRACE_MS));
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    const { tag } = await Promise.race([send(lease, new WriteStep('COMMIT')), late]);
    if (tag === 'COMMIT') return;
    throw new ToolError({ code: 'QUERY_FAILED', message: 'The database rolled the write back.' });
  } catch (error) {
    if (!signal.aborted && !isConnectionError(error)) throw error;
    throw new CommitInDoubtError(transactionId, result, { cause: error });
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
}

/** What became of a COMMIT that nobody saw: asked on other connections by `ask`, which may fail. */
export async function settleDoubt(
  { transactionId, result, cause }: CommitInDoubtError,
  withinMs: number,
  ask: (sql: string, params: string[], signal: AbortSignal) => Promise<SourceCell[][]>,
): Promise<WriteResult> {
  // Without an id it wrote nothing.
  if (transactionId === '') throw rolledBackByLoss(cause);
  const limit = AbortSignal.timeout(withinMs);
  const sql = 'SELECT pg_catalog.pg_xact_status($1::text::xid8)';
  let status: SourceCell | undefined = 'in progress';
  // It takes Postgres a moment to notice that a connection is gone.
  while (status === 'in progress' && !limit.aborted) {
    status = (await ask(sql, [transactionId], limit).catch(() => []))[0]?.[0];
    if (status === 'in progress') await sleep(ASK_AGAIN_MS, undefined, { signal: limit }).catch(() => {});
  }
  if (status === 'committed') return result;
  throw status === 'aborted' ? rolledBackByLoss(cause) : outcomeUnknown(transactionId, cause);
}
