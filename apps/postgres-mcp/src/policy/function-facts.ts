/**
 * Asks the system catalog what is behind the names of a statement: user functions, those behind operators, casts and
 * domain checks, and those that views call. Only what needs judging comes back: no built-in that is IMMUTABLE or STABLE.
 * The judgement is `function-policy.ts`'s.
 */
import { ToolError } from '@database-mcp/errors';
import { readRows } from '../catalog.ts';
import type { Database } from '../database.ts';
import { FACTS_SQL, NAMES_SQL, NO_CODE, OUTWARD, TYPES_SQL, VIEWS_SQL } from './function-facts-sql.ts';
import type { Use, UseKind } from './statement-uses.ts';

/** One function that may run when a name is used. */
export interface FunctionFacts {
  schema: string;
  name: string;
  language: string;
  /** Of the language: whoever may create functions in it gets no rights of the server's operating system by it. */
  isTrusted: boolean;
  isVolatile: boolean;
  isSecurityDefiner: boolean;
  /** The extension that it belongs to. */
  extension: string | undefined;
  /** It runs with the rights of a superuser: as the definer, or because the server's own role is one. */
  runsAsSuperuser: boolean;
  /** A word of its source by which it can reach beyond the tables; looked for only where `runsAsSuperuser`. */
  outwardWord: string | undefined;
}

/** A function behind a name, which is in `schema` itself (a view, an operator …). */
export interface FoundFunction {
  schema: string;
  /** Found without its schema, through the search path. */
  isVisible: boolean;
  facts: FunctionFacts;
}

/** What is behind each name; the key is {@link toUseKey}'s. A name that is not in it has nothing to be judged. */
export type FoundFunctions = ReadonlyMap<string, readonly FoundFunction[]>;

/** The key of a name in {@link FoundFunctions}. */
export const toUseKey = (kind: UseKind, name: string): string => `${kind} ${name}`;

/** Names that are remembered; beyond it the oldest are asked for again. */
const MAX_REMEMBERED = 5_000;
/** For so long a function may be created or altered unnoticed; whoever may do that needs no help from a reader. */
const REMEMBERED_MS = 60_000;
/** More functions than this behind the names of one statement are not judged. */
const MAX_FOUND = 20_000;

/** Looks up what is behind names, and remembers it for a while. */
export interface FunctionCatalog {
  /** Rejects with a ToolError when the database cannot be asked. */
  find(uses: readonly Use[], signal: AbortSignal): Promise<FoundFunctions>;
}

interface Remembered {
  found: FoundFunction[];
  until: number;
}

/** Creates the catalog of one database. */
export function createFunctionCatalog(database: Database, now: () => number): FunctionCatalog {
  const remembered = new Map<string, Remembered>();

  async function ask(namesOf: (kind: UseKind) => string, signal: AbortSignal): Promise<Map<string, FoundFunction[]>> {
    const read = async (sql: string, params: readonly string[]): Promise<unknown[][]> => {
      const rows = await readRows(database, sql, params, signal, MAX_FOUND);
      if (rows.length >= MAX_FOUND) throw tooManyFunctions();
      return rows;
    };
    const named = await read(NAMES_SQL, KINDS.map(namesOf));
    const types = namesOf('type');
    if (types !== NO_NAMES) named.push(...(await read(TYPES_SQL, [types])));
    const views = await readViews(
      named.flatMap((row) => (row[4] === 'v' ? [String(row[5])] : [])),
      read,
    );
    const functionsOf = (row: readonly unknown[]): string[] =>
      row[4] === 'v' ? calledBy(String(row[5]), views) : [String(row[5])];
    const facts = await readFacts(named.flatMap(functionsOf), read);
    const found = new Map<string, FoundFunction[]>();
    for (const row of named) {
      const [kind, name, schema, isVisible] = row;
      const key = toUseKey(kind as UseKind, String(name));
      const list = found.get(key) ?? [];
      found.set(key, list);
      for (const function_ of withParts(functionsOf(row), facts)) {
        list.push({ schema: String(schema), isVisible: isVisible === true, facts: function_ });
      }
    }
    return found;
  }

  return {
    async find(uses, signal) {
      const result = new Map<string, readonly FoundFunction[]>();
      const unknown = new Set<string>();
      for (const { kind, name } of uses) {
        const key = toUseKey(kind, name);
        const known = remembered.get(key);
        if (known && known.until > now()) result.set(key, known.found);
        else unknown.add(key);
      }
      if (unknown.size === 0) return result;
      const asked = uses.filter(({ kind, name }) => unknown.has(toUseKey(kind, name)));
      const namesOf = (kind: UseKind): string =>
        toArrayText([...new Set(asked.filter((use) => use.kind === kind).map((use) => use.name))]);
      const found = await ask(namesOf, signal);
      const until = now() + REMEMBERED_MS;
      for (const key of unknown) {
        result.set(key, found.get(key) ?? []);
        remembered.delete(key);
        remembered.set(key, { found: found.get(key) ?? [], until });
      }
      for (const key of remembered.keys()) {
        if (remembered.size <= MAX_REMEMBERED) break;
        remembered.delete(key);
      }
      return result;
    },
  };
}

function tooManyFunctions(): ToolError {
  return new ToolError({
    code: 'TOO_LARGE',
    message: 'Too many functions of this database are behind the names of the statement to judge them.',
    hint: 'Use fewer names in one statement.',
  });
}

/** In the order of the parameters of the question for all but types. */
const KINDS: readonly UseKind[] = ['function', 'attribute', 'operator', 'relation', 'materialized view'];
const NO_NAMES = '{}';

type Read = (sql: string, params: readonly string[]) => Promise<unknown[][]>;

/** What each view calls itself, with the views behind it, by oid. */
type Views = ReadonlyMap<string, { functions: string[]; views: string[] }>;

async function readViews(oids: readonly string[], read: Read): Promise<Views> {
  const views = new Map<string, { functions: string[]; views: string[] }>();
  for (let next = [...new Set(oids)]; next.length > 0;) {
    for (const oid of next) views.set(oid, { functions: [], views: [] });
    for (const [view, kind, oid] of await read(VIEWS_SQL, [toArrayText(next)])) {
      views.get(String(view))?.[kind === 'v' ? 'views' : 'functions'].push(String(oid));
    }
    next = [...new Set(next.flatMap((oid) => views.get(oid)?.views ?? []))].filter((oid) => !views.has(oid));
  }
  return views;
}

/** The functions that a view calls, itself or through other views. */
function calledBy(oid: string, views: Views): string[] {
  const seen = new Set([oid]);
  // A set may grow while it is walked.
  for (const view of seen) for (const behind of views.get(view)?.views ?? []) seen.add(behind);
  return [...seen].flatMap((view) => views.get(view)?.functions ?? []);
}

/** By oid; an aggregate is its parts. */
type Facts = ReadonlyMap<string, FunctionFacts | { parts: string[] }>;

async function readFacts(oids: readonly string[], read: Read): Promise<Facts> {
  const facts = new Map<string, FunctionFacts | { parts: string[] }>();
  const asked = new Set<string>();
  for (let next = [...new Set(oids)]; next.length > 0;) {
    for (const oid of next) asked.add(oid);
    const parts: string[] = [];
    for (const row of await read(FACTS_SQL, [toArrayText(next), NO_CODE, OUTWARD])) {
      const ofAggregate = row[10] === null ? undefined : String(row[10]).split(' ');
      facts.set(String(row[0]), ofAggregate ? { parts: ofAggregate } : toFacts(row));
      parts.push(...(ofAggregate ?? []));
    }
    next = [...new Set(parts)].filter((oid) => !asked.has(oid));
  }
  return facts;
}

function withParts(oids: readonly string[], facts: Facts): FunctionFacts[] {
  return oids.flatMap((oid) => {
    const found = facts.get(oid);
    if (!found) return [];
    return 'parts' in found ? withParts(found.parts, facts) : [found];
  });
}

function toFacts(row: readonly unknown[]): FunctionFacts {
  const [, schema, name, language, isTrusted, isVolatile, isSecurityDefiner, extension, runsAsSuperuser, word] = row;
  return {
    schema: String(schema),
    name: String(name),
    language: String(language),
    isTrusted: isTrusted === true,
    isVolatile: isVolatile === true,
    isSecurityDefiner: isSecurityDefiner === true,
    extension: typeof extension === 'string' ? extension : undefined,
    runsAsSuperuser: runsAsSuperuser === true,
    outwardWord: typeof word === 'string' ? word.toLowerCase() : undefined,
  };
}

/** As Postgres reads an array: a JSON array would have to be asked about first. */
function toArrayText(items: readonly string[]): string {
  return `{${items.map((item) => `"${item.replaceAll(/["\\]/g, String.raw`\$&`)}"`).join(',')}}`;
}
