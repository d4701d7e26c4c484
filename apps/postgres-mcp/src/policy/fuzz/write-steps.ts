/**
 * For the fuzz test: writes through the tool that writes. Without a confirmation nothing that they do may be seen from
 * outside afterwards, but for what docs/adr/0024-writes-are-rehearsed.md names; what no rollback undoes must be refused,
 * what it undoes must be rehearsed. A confirmation makes its own call, once, and no other.
 */
import assert from 'node:assert/strict';
import { toErrorText, type ToolError } from '@database-mcp/errors';
import type { FuzzedState } from './database-state.ts';
import type { Dice } from './dice.ts';
import { hostileCommand, hostileStatement, type FuzzTargets } from './hostile.ts';
import { honestWrite, hostileWrite } from './writes.ts';

/** One call of the tool. */
export interface WriteCall {
  sql: string;
  params?: unknown[];
  confirm?: string;
}

/** What became of it: the confirmation of a rehearsal, nothing after a write that was made, or the failure. */
export interface WriteOutcome {
  confirm?: string | undefined;
  error?: ToolError | undefined;
}

/** What a step is done with, and what the steps since the last look at the state may have left. */
export interface WriteRun {
  dice: Dice;
  targets: FuzzTargets;
  execute(call: WriteCall): Promise<WriteOutcome>;
  /** Sequences that were drawn from. */
  drawn: Set<string>;
  /** Tables of which the planner counts anew. */
  counted: Set<string>;
  log: string[];
  /** What was written to the ledger. */
  made: string[];
  /** Confirmations that were not used. */
  kept: string[];
}

/** The kinds of steps. */
export const WRITE_KINDS = ['honest', 'hostile', 'any', 'confirmed'] as const;
const CONFIRMED_SHARE = 0.05;
/** Of what is neither meant to pass nor to be refused, the share of plain commands. */
const COMMAND_SHARE = 0.6;

/** Whether the server refused a statement before the database saw it; errors of Postgres itself mean that it was run. */
export function isRefusal(error: ToolError): boolean {
  return REFUSALS.has(error.code) && !error.message.includes('[SQLSTATE');
}

const REFUSALS = new Set(['READ_ONLY', 'INVALID_ARGUMENT', 'SYNTAX_ERROR', 'TOO_LARGE']);

const tell = (error: ToolError | undefined): string => (error ? toErrorText(error) : 'it ran');

/** One write of any kind; gives its kind. */
export async function stepWrite(run: WriteRun): Promise<(typeof WRITE_KINDS)[number]> {
  const { dice } = run;
  if (dice.chance(CONFIRMED_SHARE)) return await confirm(run);
  const kind = dice.pick(['honest', 'honest', 'hostile', 'any'] as const);
  await (kind === 'honest' ? rehearseHonest(run) : rehearseOther(run, kind));
  return kind;
}

async function rehearseHonest({ dice, targets, execute, drawn, counted, log }: WriteRun): Promise<void> {
  const { sql, draws, counts } = honestWrite(dice, targets);
  log.push(sql);
  const { confirm: sealed, error } = await execute({ sql });
  assert.ok(sealed, `can be rolled back, but ${tell(error)}:\n${sql}`);
  if (draws !== undefined) drawn.add(draws);
  if (counts !== undefined) counted.add(counts);
}

async function rehearseOther(run: WriteRun, kind: 'hostile' | 'any'): Promise<void> {
  const { dice, targets, execute, counted, log } = run;
  const anything = dice.chance(COMMAND_SHARE) ? hostileCommand : hostileStatement;
  const sql = (kind === 'hostile' ? hostileWrite : anything)(dice, targets);
  log.push(sql);
  const { error } = await execute({ sql });
  if (kind === 'hostile') assert.ok(error && isRefusal(error), `no rollback undoes it, but ${tell(error)}:\n${sql}`);
  else if (!error && /ANALYZE stock|CREATE INDEX ON stock/.test(sql)) counted.add('stock');
}

/** Rehearses a write to the ledger, tries its confirmation for everything else, and mostly makes it at last. */
async function confirm(run: WriteRun): Promise<'confirmed'> {
  const { dice, execute, drawn, log, made, kept } = run;
  const note = `note ${made.length} ${dice.below(1_000_000)}`;
  const call = dice.pick<WriteCall>([
    { sql: 'INSERT INTO ledger (note) VALUES ($1)', params: [note] },
    { sql: `INSERT INTO ledger (note) VALUES ('${note}')`, params: [] },
  ]);
  const { confirm: own, error } = await execute(call);
  drawn.add('ledger_id_seq');
  assert.ok(own, tell(error));
  for (const other of othersThan(run, call, note, own)) {
    log.push(JSON.stringify(other));
    const { error: refusal } = await execute(other);
    assert.ok(refusal?.code === 'INVALID_ARGUMENT', `not what was confirmed, but ${tell(refusal)}:\n${log.at(-1)}`);
  }
  if (dice.chance(0.3)) {
    kept.push(own);
    return 'confirmed';
  }
  log.push(`confirmed: ${note}`);
  const done = await execute({ ...call, confirm: own });
  assert.equal(done.error, undefined, `confirmed, but ${tell(done.error)}`);
  made.push(note);
  assert.match(tell((await execute({ ...call, confirm: own })).error), /used before/);
  return 'confirmed';
}

/** Calls that are not the one that was confirmed, or not with its confirmation. */
function othersThan({ dice, targets, made, kept }: WriteRun, call: WriteCall, note: string, own: string): WriteCall[] {
  const otherParams: WriteCall = call.sql.includes('$1')
    ? { sql: call.sql, params: [dice.pick([`${note} `, null, [note], made.length])] }
    : { sql: call.sql.replace("')", " ')"), params: [] };
  const others: WriteCall[] = [
    { ...call, sql: dice.pick([`${call.sql} `, `${call.sql};`, call.sql.toLowerCase(), `/**/${call.sql}`]) },
    { ...call, sql: call.sql.replace('ledger (note)', dice.pick(['part (note)', 'ledger ("note")'])) },
    { sql: honestWrite(dice, targets).sql, params: [] },
    otherParams,
  ];
  const garbled = { ...call, confirm: garble(dice, own) };
  const foreign = { ...call, confirm: kept.length > 0 ? dice.pick(kept) : '' };
  return [...others.map((other) => ({ ...other, confirm: own })), garbled, foreign];
}

function garble(dice: Dice, sealed: string): string {
  const place = dice.below(sealed.length);
  const other = sealed[place] === 'A' ? 'B' : 'A';
  return dice.pick([sealed.slice(0, place) + other + sealed.slice(place + 1), sealed.slice(1), `${sealed}A`]);
}

/** The state as it must be: as before, but for what may be left. The log of the database grows by what is rolled back too. */
export function expectedState(before: FuzzedState, found: FuzzedState, run: WriteRun): FuzzedState {
  const sequences = { ...before.sequences };
  for (const name of run.drawn) {
    assert.ok(Number(found.sequences[name]) >= Number(sequences[name]), `the sequence ${name} went back`);
    sequences[name] = found.sequences[name] ?? NaN;
  }
  const estimates = { ...before.estimates };
  for (const name of run.counted) estimates[name] = found.estimates[name] ?? '';
  const ledger = run.made.length > 0 ? run.made.toSorted() : null;
  return { ...before, sequences, estimates, ledger, wal: found['wal'] };
}
