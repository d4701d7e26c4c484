/**
 * Whether what is behind the names of a statement may run: (names, facts from the catalog) → the first name that may
 * not, with the reason. Pure. The rules and their reasons: docs/adr/0012-functions-judged-by-the-catalog.md.
 */
import { toUseKey, type FoundFunctions, type FunctionFacts } from './function-facts.ts';
import { findBuiltInSideEffect, findExtensionSideEffect, isHarmless } from './side-effects.ts';
import type { Use } from './statement-uses.ts';

/** What a mode lets pass besides reading. */
export type AccessMode = 'read' | 'write';

/** A name that may not be used. */
export interface Objection {
  use: Use;
  /** A sentence. */
  message: string;
  hint: string;
}

const LEAVE_OUT = 'Leave the function out; what only reads or computes is allowed.';
const ASK_FOR_ROLE =
  'With a database role that is no superuser it would be allowed: the operator gets the SQL for one by --print-role-sql.';

/** The first built-in function that may not be called, by its name alone: nothing needs to be asked. */
export function findKnownSideEffect(uses: readonly Use[], mode: AccessMode): Objection | undefined {
  for (const use of inOrder(uses)) {
    if (use.kind !== 'function' || (use.schema !== undefined && use.schema !== 'pg_catalog')) continue;
    const reason = findSideEffect(use.name, mode);
    // With three arguments it only computes.
    if (reason === undefined || (use.name === 'ts_rewrite' && use.argumentCount === 3)) continue;
    return { use, message: `The function ${use.name} ${reason}.`, hint: LEAVE_OUT };
  }
  return undefined;
}

/** The first name behind which the catalog has a function that may not run. */
export function findObjection(uses: readonly Use[], found: FoundFunctions, mode: AccessMode): Objection | undefined {
  for (const use of inOrder(uses)) {
    for (const { schema, isVisible, facts } of found.get(toUseKey(use.kind, use.name)) ?? []) {
      if (use.schema === undefined ? !isVisible : use.schema !== schema) continue;
      // The built-in of that name was judged by name and number of arguments.
      if (use.kind === 'function' && facts.schema === 'pg_catalog' && findBuiltInSideEffect(facts.name)) continue;
      const refusal = judge(facts, mode);
      if (!refusal) continue;
      const message = `${describe(use, facts)} ${refusal.reason}.`;
      return { use, message, hint: refusal.hint + suggestSchema(use, facts) };
    }
  }
  return undefined;
}

/** Which of several of a name is called depends on types that are not known here. */
function suggestSchema({ kind, schema, name }: Use, facts: FunctionFacts): string {
  if (schema !== undefined || facts.schema === 'pg_catalog') return '';
  const qualified = { function: `pg_catalog.${name}`, operator: `OPERATOR(pg_catalog.${name})` };
  if (kind !== 'function' && kind !== 'operator') return '';
  return ` If another ${kind} of that name is meant, write its schema, such as ${qualified[kind]}.`;
}

function inOrder(uses: readonly Use[]): Use[] {
  return uses.toSorted((one, other) => one.offset - other.offset);
}

function findSideEffect(name: string, mode: AccessMode): string | undefined {
  // A number drawn from a sequence is part of an ordinary INSERT; setval is not undone by a rollback.
  return mode === 'write' && name === 'nextval' ? undefined : findBuiltInSideEffect(name);
}

function judge(facts: FunctionFacts, mode: AccessMode): { reason: string; hint: string } | undefined {
  const { name, language, extension } = facts;
  const isNative = language === 'c' || language === 'internal';
  if (facts.schema === 'pg_catalog' && extension === undefined) {
    const reason = findSideEffect(name, mode) ?? 'is VOLATILE and not known to this server';
    return isHarmless(name) || (mode === 'write' && name === 'nextval') ? undefined : { reason, hint: LEAVE_OUT };
  }
  if (extension !== undefined) {
    const reason = findExtensionSideEffect(name);
    if (reason !== undefined) return { reason: `${reason} (extension ${extension})`, hint: LEAVE_OUT };
  }
  if (isNative && extension === undefined) {
    return {
      reason: `is machine code (language ${language}) of no extension, so nobody can tell what it does`,
      hint: LEAVE_OUT,
    };
  }
  if (isNative && facts.isVolatile && !isHarmless(name)) {
    return {
      reason: `is VOLATILE machine code of the extension ${extension}, so it may do more than read`,
      hint: LEAVE_OUT,
    };
  }
  if (!isNative && !facts.isTrusted) {
    return {
      reason: `is written in ${language}, an untrusted language that can do anything on the database host`,
      hint: LEAVE_OUT,
    };
  }
  if (facts.outwardWord === undefined) return undefined;
  const reason = `runs with the rights of a superuser and its source has ${facts.outwardWord.toUpperCase()}, so it may reach beyond the tables`;
  return {
    reason,
    hint: facts.isSecurityDefiner ? 'The operator can give the function an owner that is no superuser.' : ASK_FOR_ROLE,
  };
}

function describe({ kind, name, schema }: Use, facts: FunctionFacts): string {
  const shown = facts.schema === 'pg_catalog' ? facts.name : `${facts.schema}.${facts.name}`;
  const used = schema === undefined ? name : `${schema}.${name}`;
  switch (kind) {
    case 'operator':
      return `The operator ${used} calls ${shown}, which`;
    case 'type':
      return `The cast to ${used} may call ${shown}, which`;
    case 'relation':
      return `The view ${used} calls ${shown}, which`;
    case 'materialized view':
      return `The query of the ${kind} ${used} calls ${shown}, which`;
    default:
      return `The function ${shown}`;
  }
}
