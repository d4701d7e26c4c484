/**
 * What is asked before and after a write in its transaction, and the sentences that come of it: rows affected, what else
 * changed (cascades, triggers), locks, and a sample of the rows.
 */
import type { Column, SourceCell } from '@database-mcp/mcp-kit';
import type { TextRows } from '../connection/write-transaction.ts';
import type { WriteAnswer } from '../database.ts';
import type { AllowedWrite } from './write-policy.ts';

/** Rows that are shown of a write that did not ask for them itself. */
const SAMPLE_ROWS = 10;
/** Tables that are named in a sentence. */
const MAX_NAMED = 8;
/** Of more tables than this nothing is asked, so that the answer stays small. */
const MAX_ASKED = 4_000;
/** From this version on RETURNING knows the old row too. */
const OLD_AND_NEW_SINCE = 180_000;
/** From this version on MERGE has RETURNING. */
const MERGE_RETURNING_SINCE = 170_000;

/** $1: the tables that the statement names, as JSON. */
const BEFORE_SQL = `
  SELECT current_user, pg_catalog.current_database(), pg_catalog.current_setting('server_version_num'),
         (SELECT coalesce(pg_catalog.json_object_agg(c.oid, pg_catalog.json_build_array(name, c.reltuples)), '{}')
            FROM (SELECT name FROM pg_catalog.jsonb_array_elements_text($1::jsonb) name LIMIT ${MAX_ASKED}) few
            JOIN pg_catalog.pg_class c ON c.oid = pg_catalog.to_regclass(name))`;

/**
 * The locks that are held, and the rows that were changed in each table that is locked. The counts are those that the
 * database has not added up yet, so a connection is not used for a second write.
 */
const AFTER_SQL = `
  WITH held AS (
    SELECT l.relation, l.mode, c.relkind, pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname) AS name
      FROM pg_catalog.pg_locks l LEFT JOIN (pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace)
        ON c.oid = l.relation
     WHERE l.pid = pg_catalog.pg_backend_pid() AND l.locktype = 'relation' AND l.granted AND l.relation >= 16384),
  changed AS (
    SELECT name, pg_catalog.pg_stat_get_xact_tuples_inserted(relation) AS inserted,
           pg_catalog.pg_stat_get_xact_tuples_updated(relation) AS updated,
           pg_catalog.pg_stat_get_xact_tuples_deleted(relation) AS deleted
      FROM (SELECT DISTINCT relation, name FROM held WHERE relkind IN ('r', 'm')) tables)
  SELECT (SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_array(name, inserted, updated, deleted) ORDER BY name), '[]')
            FROM (SELECT * FROM changed WHERE inserted + updated + deleted > 0 LIMIT ${MAX_ASKED}) few),
         (SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_array(relation, mode, name, relkind)), '[]')
            FROM (SELECT * FROM held WHERE mode <> 'AccessShareLock' AND relkind IS DISTINCT FROM 'i' ORDER BY relation LIMIT ${MAX_ASKED}) few)`;

/** The questions for a plan. */
export function toQuestions(write: AllowedWrite): { before: { sql: string; params: string[] }; after: string } {
  return { before: { sql: BEFORE_SQL, params: [JSON.stringify(write.relations)] }, after: AFTER_SQL };
}

/** What is found before the write. */
export interface Setting {
  role: string;
  database: string;
  versionNumber: number;
  /** By oid: what the statement calls it, and its estimated rows (-1: never counted). */
  relations: Readonly<Record<string, readonly [name: string, rows: number]>>;
}

type Change = readonly [name: string, inserted: number, updated: number, deleted: number];
type Lock = readonly [oid: number, mode: string, name: string | null, kind: string | null];

/** Reads the answer to the question before. */
export function readSetting([row = []]: TextRows): Setting {
  const [role, database, version, relations] = row;
  return {
    role: role ?? '',
    database: database ?? '',
    versionNumber: Number(version),
    relations: JSON.parse(relations ?? '{}') as Setting['relations'],
  };
}

/** How the rows of a write are asked for: `old and new` gives every column twice. */
export type SampleForm = 'own' | 'none' | 'rows' | 'old and new';

/** What can be had of the write on this version. */
export function chooseSample({ kind, hasReturning }: AllowedWrite, versionNumber: number): SampleForm {
  if (hasReturning) return 'own';
  if (kind === 'UPDATE') return versionNumber >= OLD_AND_NEW_SINCE ? 'old and new' : 'rows';
  if (kind === 'MERGE') return versionNumber >= MERGE_RETURNING_SINCE ? 'rows' : 'none';
  return kind === 'INSERT' || kind === 'DELETE' ? 'rows' : 'none';
}

/** RETURNING is the last clause of each of these, and a comment at the end of the text ends with its line. */
export function addReturning(text: string, form: SampleForm): string {
  if (form === 'rows') return `${text}\nRETURNING *`;
  if (form === 'old and new') return `${text}\nRETURNING WITH (OLD AS mcp_old, NEW AS mcp_new) mcp_old.*, mcp_new.*`;
  return text;
}

/** Keeps the first rows only. */
export function createSample(
  form: SampleForm,
  maxRows: number,
): { rows: SourceCell[][]; push(row: SourceCell[]): void } {
  const rows: SourceCell[][] = [];
  const most = form === 'own' ? maxRows : SAMPLE_ROWS;
  return { rows, push: (row) => void (rows.length < most && rows.push(row)) };
}

/** Old and new rows side by side: a column that no row changed comes once, one that changed with its value before. */
export function foldOldAndNew(
  columns: readonly Column[],
  rows: readonly SourceCell[][],
): { columns: Column[]; rows: SourceCell[][] } {
  const count = columns.length / 2;
  const places: number[] = [];
  const folded: Column[] = [];
  for (const [index, column] of columns.slice(count).entries()) {
    const hasChanged = rows.some((row) => JSON.stringify(row[index]) !== JSON.stringify(row[index + count]));
    if (hasChanged) {
      folded.push({ ...column, name: `${column.name} (before)` });
      places.push(index);
    }
    folded.push(column);
    places.push(index + count);
  }
  return { columns: folded, rows: rows.map((row) => places.map((place) => row[place] ?? null)) };
}

/** What the write did or would do, in sentences. */
export function describeEffects(write: AllowedWrite, setting: Setting, answer: WriteAnswer): string[] {
  const [row = []] = answer.after;
  const [changes, locks] = row;
  const notices: string[] = [];
  if (write.isUnconditional) notices.push('It has no WHERE: it changes every row of the table.');
  const changed = describeChanges(JSON.parse(changes ?? '[]') as Change[]);
  if (changed.length > 0) notices.push(`Rows by table, with cascades and triggers: ${listed(changed)}.`);
  if (write.kind === 'TRUNCATE' || write.kind === 'DROP') {
    const sizes = Object.values(setting.relations).map(([name, rows]) => `${name} ${rows < 0 ? 'unknown' : rows}`);
    if (sizes.length > 0) notices.push(`Estimated rows before: ${listed(sizes)}.`);
  }
  const taken = describeLocks(JSON.parse(locks ?? '[]') as Lock[], setting);
  if (taken.length > 0) notices.push(`Locks: ${listed(taken)}.`);
  return notices;
}

function describeChanges(changes: readonly Change[]): string[] {
  return changes.map(([name, ...counts]) => {
    const parts = ['inserted', 'updated', 'deleted'].flatMap((word, index) => {
      const count = counts[index] ?? 0;
      return count > 0 ? [`${count} ${word}`] : [];
    });
    return `${name} ${parts.join(', ')}`;
  });
}

/** From weak to strong. */
const MODES =
  'AccessShare RowShare RowExclusive ShareUpdateExclusive Share ShareRowExclusive Exclusive AccessExclusive'.split(' ');

/** The strongest lock of each table; those that every reader takes, and those of indexes, say nothing more. */
function describeLocks(locks: readonly Lock[], { relations }: Setting): string[] {
  const strongest = new Map<string, number>();
  for (const [oid, mode, found, kind] of locks) {
    const strength = MODES.indexOf(mode.replace(/Lock$/, ''));
    const name = found ?? relations[String(oid)]?.[0];
    if (name === undefined || kind === 'i' || kind === 'I' || kind === 't' || strength < 1) continue;
    strongest.set(name, Math.max(strength, strongest.get(name) ?? 0));
  }
  const ordered = [...strongest].toSorted(([, one], [, other]) => other - one);
  return ordered.map(([name, strength]) => `${name} ${MODES[strength]}Lock`);
}

function listed(parts: readonly string[]): string {
  const left = parts.length - MAX_NAMED;
  const more = left > 0 ? ` and ${parts.length < MAX_ASKED ? left : 'many'} more` : '';
  return parts.slice(0, MAX_NAMED).join('; ') + more;
}
