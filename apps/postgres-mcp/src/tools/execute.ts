import { z } from 'zod';
import { ToolError } from '@database-mcp/errors';
import { createRowCollector, defineTool, type ResultLimits, type TableResult, type Tool } from '@database-mcp/mcp-kit';
import { suggestRelation } from '../catalog.ts';
import type { Database, WriteAnswer } from '../database.ts';
import { describeStatement } from '../describe-statement.ts';
import type { StatementGuard } from '../statement-guard.ts';
import { CONFIRM_WITHIN_MS, type Confirmations, type RehearsedWrite } from '../write/confirmation.ts';
import {
  addReturning,
  chooseSample,
  createSample,
  describeEffects,
  foldOldAndNew,
  readSetting,
  toQuestions,
  type SampleForm,
} from '../write/rehearsal.ts';
import type { AllowedWrite } from '../write/write-policy.ts';
import { checkParameterCount } from './parameter-count.ts';

/** What the tool needs besides the database. */
export interface ExecuteOptions {
  guard: StatementGuard;
  limits: ResultLimits;
  confirmations: Confirmations;
  /** The prefix of the tool names, which tells servers with the same key apart. */
  instance: string;
}

/** One call. */
interface Call {
  write: AllowedWrite;
  sql: string;
  params: readonly unknown[];
  confirm: string | undefined;
}

/** Rehearses a write, and makes it when it is confirmed. */
export function createExecuteTool(database: Database, options: ExecuteOptions): Tool {
  return defineTool({
    name: 'execute',
    description:
      'Write: one INSERT, UPDATE, DELETE, MERGE, TRUNCATE or DDL. The first call rehearses it (rolled back) and gives `confirm`; the same call with it commits.',
    input: z.strictObject({
      sql: z.string(),
      params: z.array(z.unknown()).optional(),
      confirm: z.string().max(200).optional(),
    }),
    annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: false },
    describe: async ({ sql, confirm }) => {
      const statement = await describeStatement(sql);
      return confirm === undefined
        ? { ...statement, summary: `rehearsal of ${statement.summary ?? 'a statement'}` }
        : statement;
    },
    async run({ sql, params = [], confirm }, { signal }) {
      const write = await options.guard.checkWriting(sql, signal);
      checkParameterCount(write.parameters, params.length);
      try {
        return await execute(database, options, { write, sql, params, confirm }, signal);
      } catch (error) {
        throw await suggestRelation(database, error, signal);
      }
    },
  });
}

async function execute(
  database: Database,
  options: ExecuteOptions,
  call: Call,
  signal: AbortSignal,
): Promise<TableResult> {
  const { write, sql, params, confirm } = call;
  let redeemed: { rows: number | undefined } | undefined;
  let rehearsed: RehearsedWrite | undefined;
  const attempt = async (allowsSample: boolean): Promise<TableResult> => {
    let form: SampleForm = 'none';
    let sample = createSample(form, options.limits.maxRows);
    let differs = false;
    const answer = await database.write(
      {
        statement: { sql: write.text, params },
        ...toQuestions(write),
        toSql(before) {
          const { role, database: name, versionNumber } = readSetting(before);
          rehearsed = { instance: options.instance, role, database: name, sql, params };
          if (confirm !== undefined) redeemed ??= options.confirmations.redeem(confirm, rehearsed);
          form = allowsSample || write.hasReturning ? chooseSample(write, versionNumber) : 'none';
          sample = createSample(form, options.limits.maxRows);
          return addReturning(write.text, form);
        },
        onRow: (row) => sample.push(row),
        maxValueBytes: options.limits.maxCellBytes,
        shouldCommit(rows) {
          differs = redeemed !== undefined && redeemed.rows !== rows;
          return redeemed !== undefined && !differs;
        },
      },
      signal,
    );
    if (differs) throw rowsDiffer(redeemed?.rows, answer.rows);
    const sealed = answer.isCommitted || !rehearsed ? undefined : options.confirmations.seal(rehearsed, answer.rows);
    return toResult(write, { answer, form, rows: sample.rows, confirm: sealed, limits: options.limits });
  };
  try {
    return await attempt(true);
  } catch (error) {
    // Without the right to read the rows, or where a view cannot return them, the write itself may be possible.
    if (write.hasReturning || !isAboutReturning(error)) throw error;
    return await attempt(false);
  }
}

function isAboutReturning(error: unknown): boolean {
  return error instanceof ToolError && /SQLSTATE (?:42501|0A000)/.test(error.message);
}

function rowsDiffer(rehearsed: number | undefined, now: number | undefined): ToolError {
  return new ToolError({
    code: 'QUERY_FAILED',
    message: `The write affects ${now ?? 0} rows now, and ${rehearsed ?? 0} in the rehearsal: it was rolled back, nothing was changed.`,
    hint: 'The data changed in between. Call again without confirm to rehearse it anew.',
  });
}

interface Outcome {
  answer: WriteAnswer;
  form: SampleForm;
  rows: Parameters<typeof foldOldAndNew>[1];
  confirm: string | undefined;
  limits: ResultLimits;
}

function toResult(write: AllowedWrite, outcome: Outcome): TableResult {
  const { answer, form, limits } = outcome;
  const { columns, rows } =
    form === 'old and new' ? foldOldAndNew(answer.columns, outcome.rows) : { ...answer, rows: outcome.rows };
  const collector = createRowCollector(limits);
  for (const row of rows) if (!collector.push(row)) break;
  const took = `${Math.round(answer.tookMs * 10) / 10} ms`;
  const affected =
    answer.rows === undefined ? 'It' : `${answer.rows} ${answer.rows === 1 ? 'row' : 'rows'} affected; it`;
  const notices = [
    answer.isCommitted
      ? `Done and committed. ${affected} took ${took}.`
      : `Rehearsed and rolled back, nothing is changed yet. ${affected} took ${took}.`,
    ...describeEffects(write, readSetting(answer.before), answer),
    ...answer.notices,
  ];
  if (answer.rows !== undefined && rows.length < answer.rows && form !== 'none')
    notices.push(`Shown: the first ${rows.length} of the rows.`);
  if (outcome.confirm !== undefined) {
    notices.push(
      `To make it so, call again with the same sql and params and this confirm within ${CONFIRM_WITHIN_MS / 60_000} minutes. It is refused when other rows are affected then. Sequences that the rehearsal advanced stay so.`,
    );
  }
  const result = collector.finish([...columns], { notices });
  if (outcome.confirm !== undefined) result.confirm = outcome.confirm;
  return result;
}
