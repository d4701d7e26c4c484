/**
 * Decides by its parse tree whether a statement may be rehearsed and then made: exactly one statement that changes rows
 * or tables and can be undone by a rollback. Code (functions, triggers, rules, DO, CALL), rights, roles, settings,
 * extensions, files and whatever cannot run inside of a transaction are for a person with an administrator's tools.
 */
import { findExcess, IS_STATEMENT, readStatement, refused, toStatementName, type Refusal } from '../access-policy.ts';
import { findKnownSideEffect } from '../policy/function-policy.ts';
import { collectUses, type Use } from '../policy/statement-uses.ts';
import { describeOffset } from '../sql-position.ts';
import type { ParseNode } from '../sql-parser.ts';

/** What a statement that may run does to rows; the first four can tell of the rows that they change. */
export type WriteKind = 'INSERT' | 'UPDATE' | 'DELETE' | 'MERGE' | 'TRUNCATE' | 'DROP' | 'other';

/** A statement that may be rehearsed. */
export interface AllowedWrite {
  kind: WriteKind;
  /** The highest `$n` in it. */
  parameters: number;
  /** The names to judge by the catalog. */
  uses: Use[];
  /** The statement without a semicolon at its end. */
  text: string;
  hasReturning: boolean;
  /** It changes all rows of its table because it has no condition. */
  isUnconditional: boolean;
  /** Tables that it names, as in SQL. */
  relations: string[];
}

const QUERIES = new Set(['SelectStmt', 'InsertStmt', 'UpdateStmt', 'DeleteStmt', 'MergeStmt']);
const KINDS: Readonly<Record<string, WriteKind>> = {
  InsertStmt: 'INSERT',
  UpdateStmt: 'UPDATE',
  DeleteStmt: 'DELETE',
  MergeStmt: 'MERGE',
  TruncateStmt: 'TRUNCATE',
  DropStmt: 'DROP',
};
/** Changes of the schema that a rollback undoes, and that bring no code of their own. */
const SCHEMA_CHANGES = new Set(
  `CreateStmt CreateTableAsStmt AlterTableStmt RenameStmt AlterObjectSchemaStmt IndexStmt ViewStmt CommentStmt
  CreateSeqStmt AlterSeqStmt CreateEnumStmt AlterEnumStmt CompositeTypeStmt CreateRangeStmt CreateDomainStmt
  AlterDomainStmt CreateSchemaStmt RefreshMatViewStmt CreateStatsStmt VacuumStmt`.split(/\s+/),
);
/** What DROP, RENAME, SET SCHEMA and COMMENT may be about. */
const OBJECTS =
  /^OBJECT_(TABLE|COLUMN|TABCONSTRAINT|DOMCONSTRAINT|INDEX|VIEW|MATVIEW|SEQUENCE|TYPE|ATTRIBUTE|DOMAIN|SCHEMA|STATISTIC_EXT|ACCESS_METHOD)$/;
/** Parts of ALTER TABLE that change who may do what, or which code runs. */
const GUARDS = /^AT_(ChangeOwner|\w*Trig\w*|\w*Rule\w*|\w*RowSecurity)$/;

const WHAT_IS_ALLOWED =
  'Allowed: INSERT, UPDATE, DELETE, MERGE, TRUNCATE; CREATE, ALTER, DROP of tables, indexes, views, sequences, types, schemas; COMMENT, REFRESH, ANALYZE.';

/** Judges SQL text as it came from the client, without what the catalog knows. */
export async function classifyWrite(sql: string): Promise<({ kind: 'allowed' } & { write: AllowedWrite }) | Refusal> {
  const read = await readStatement(sql);
  if (read.kind === 'refused') return read;
  const { node, end } = read;
  const [kind = ''] = Object.keys(node);
  const body = node[kind] as ParseNode;
  const refusal = refuseRoot(kind, body) ?? findExcess(node);
  if (refusal) return refusal;
  const found = walk(node, kind);
  if (found.kind === 'refused') return found;
  const uses = collectUses(node);
  const objection = findKnownSideEffect(uses, 'write');
  if (objection) {
    const where = describeOffset(sql, objection.use.offset);
    return refused('INVALID_ARGUMENT', `${objection.message} Nothing was run.`, { where, hint: objection.hint });
  }
  return {
    kind: 'allowed',
    write: {
      kind: KINDS[kind] ?? 'other',
      parameters: found.parameters,
      uses,
      text: Buffer.from(sql).subarray(0, end).toString(),
      hasReturning: body['returningClause'] !== undefined || body['returningList'] !== undefined,
      isUnconditional: (kind === 'UpdateStmt' || kind === 'DeleteStmt') && body['whereClause'] === undefined,
      relations: [
        ...uses.flatMap((use) => (use.kind === 'relation' ? [toName([use.schema, use.name])] : [])),
        ...dropped(body),
      ],
    },
  };
}

function refuseRoot(kind: string, body: ParseNode): Refusal | undefined {
  if (kind === 'SelectStmt' || kind === 'ExplainStmt' || kind === 'VariableShowStmt') {
    return refuse(
      'This statement is a query',
      'The query tool runs what reads. A write inside of WITH is written as the last statement: WITH … INSERT …',
    );
  }
  if (kind === 'VacuumStmt' && body['is_vacuumcmd'])
    return refuse('VACUUM cannot run inside of a transaction', BY_HAND);
  if (!(kind in KINDS) && !SCHEMA_CHANGES.has(kind))
    return refuse(`${toStatementName(kind)} is not served here`, WHAT_IS_ALLOWED);
  const about = [body['removeType'], body['renameType'], body['objectType'], body['objtype']].find(
    (value) => typeof value === 'string',
  );
  if (typeof about === 'string' && !OBJECTS.test(about)) {
    const what = about.replace('OBJECT_', '').replaceAll('_', ' ');
    return refuse(`${toStatementName(kind)} of this kind (${what}) is not served here`, WHAT_IS_ALLOWED);
  }
  for (const { AlterTableCmd: command } of (body['cmds'] ?? []) as { AlterTableCmd?: { subtype?: string } }[]) {
    if (GUARDS.test(command?.subtype ?? '')) {
      return refuse('Owners, triggers, rules and row security are not changed here', 'An administrator does that.');
    }
  }
  return undefined;
}

const BY_HAND = 'An administrator runs it by hand; every write here is rehearsed in a transaction first.';

/** Looks at the whole tree; not by recursion. */
function walk(root: ParseNode, rootKind: string): { kind: 'fine'; parameters: number } | Refusal {
  let parameters = 0;
  const open: unknown[] = [root];
  while (open.length > 0) {
    const item = open.pop();
    if (typeof item !== 'object' || item === null) continue;
    for (const [key, value] of Object.entries(item)) {
      if (key === 'concurrent' && value === true)
        return refuse('CONCURRENTLY cannot run inside of a transaction', `Leave it out, or: ${BY_HAND}`);
      if (key === 'relpersistence' && value === 't')
        return refuse('A temporary table would end with the call', 'Use a CTE (WITH …) instead.');
      if (typeof value !== 'object' || value === null) continue;
      if (IS_STATEMENT.test(key) && !QUERIES.has(key) && !(item === root && key === rootKind)) {
        return refuse(`${toStatementName(key)} inside of another statement is not served here`, WHAT_IS_ALLOWED);
      }
      if (key === 'intoClause') return refuse('SELECT INTO is not served here', 'Write CREATE TABLE … AS SELECT.');
      if (key === 'ParamRef') parameters = Math.max(parameters, Number((value as { number?: number }).number ?? 0));
      open.push(value);
    }
  }
  return { kind: 'fine', parameters };
}

/** The names of DROP. */
function dropped(body: ParseNode): string[] {
  if (!/^OBJECT_(TABLE|VIEW|MATVIEW|INDEX|SEQUENCE)$/.test(String(body['removeType']))) return [];
  return ((body['objects'] ?? []) as { List?: { items: { String?: { sval?: string } }[] } }[]).map(({ List: list }) =>
    toName((list?.items ?? []).map((item) => item.String?.sval).slice(-2)),
  );
}

function toName(parts: readonly (string | undefined)[]): string {
  return parts.flatMap((part) => (part === undefined ? [] : [`"${part.replaceAll('"', '""')}"`])).join('.');
}

function refuse(message: string, hint: string): Refusal {
  return refused('INVALID_ARGUMENT', `${message}. Nothing was run.`, { hint });
}
