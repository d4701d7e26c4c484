/**
 * Asks the system catalog what is behind the names of a statement: user functions, those behind operators, casts and
 * domain checks, and those that views call. Only what needs judging comes back: no built-in that is IMMUTABLE or STABLE.
 * The judgement is `function-policy.ts`'s.
 */
import { ToolError } from '@database-mcp/errors';
import { readRows } from '../catalog.ts';
import type { Database } from '../database.ts';
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

/**
 * Words in the source of SQL and PL/pgSQL functions: statements made of text, COPY, and what `side-effects.ts` refuses.
 * String constants and comments are cut out before; a string can only be run by EXECUTE, which is itself a word.
 */
const OUTWARD_WORDS =
  'execute copy dblink\\w* postgres_fdw_\\w* pg_read_\\w+ pg_ls_\\w+ pg_stat_file pg_file_\\w+ lo_import lo_export pg_terminate_backend pg_cancel_backend pg_notify notify pg_t?r?y?_?advisory_\\w+ pg_reload_conf pg_rotate_logfile pg_promote pg_switch_wal pg_create_\\w+ pg_drop_replication_slot pg_copy_\\w+ pg_logical_\\w+ pg_replication_\\w+ pg_backup_\\w+ pg_wal_replay_\\w+ pg_log_\\w+ pg_stat_reset\\w* pg_export_snapshot pg_import_system_collations pg_clear_\\w+ pg_restore_\\w+ gin_clean_pending_list brin_\\w+ query_to_xml\\w* cursor_to_xml\\w* ts_stat ts_rewrite set_config';
const OUTWARD = `(?i)\\m(${OUTWARD_WORDS.replaceAll(' ', '|')})\\M`;
const STRINGS_AND_COMMENTS = `'(?:[^']|'')*'|--[^\\n]*|/\\*.*?\\*/`;

// What was made by people has an oid from 16384 (FirstNormalObjectId). pg_node_tree is text in which `:funcid 2624`
// names a function; dependencies would not do, because those on built-in functions are not recorded. An aggregate stands
// for its parts. A function in the language internal that is a harmless built-in under another name (as the constructors
// of a range type are) needs no judging.
const SELECT_RULE = `SELECT r.ev_action FROM pg_catalog.pg_rewrite r WHERE r.ev_class = view.oid AND r.ev_type = '1' LIMIT 1`;
const FIND_SQL = `
WITH RECURSIVE
view (name, schema, visible, oid) AS (
  SELECT c.relname, n.nspname, pg_catalog.pg_table_is_visible(c.oid), c.oid
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
   WHERE c.relkind = 'v' AND c.relname = ANY (ARRAY(SELECT pg_catalog.jsonb_array_elements_text($5::jsonb)))
  UNION
  SELECT view.name, view.schema, view.visible, c.oid
    FROM view, LATERAL (${SELECT_RULE}) w,
         pg_catalog.regexp_matches(w.ev_action::text, ':relid (\\d+)', 'g') part
    JOIN pg_catalog.pg_class c ON c.oid = part[1]::oid AND c.relkind = 'v'
),
part AS (
  SELECT view.name, view.schema, view.visible, part[1] AS kind, part[2]::oid AS oid
    FROM view, LATERAL (${SELECT_RULE}) w,
         pg_catalog.regexp_matches(w.ev_action::text, ':(funcid|aggfnoid|winfnoid|opno) (\\d+)', 'g') part
),
used (kind, name, schema, visible, oid) AS (
  SELECT 'function', p.proname, n.nspname, pg_catalog.pg_function_is_visible(p.oid), p.oid
    FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
   WHERE p.proname = ANY (ARRAY(SELECT pg_catalog.jsonb_array_elements_text($1::jsonb)))
  UNION ALL
  SELECT 'attribute', p.proname, n.nspname, pg_catalog.pg_function_is_visible(p.oid), p.oid
    FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
    JOIN pg_catalog.pg_type t ON t.oid = p.proargtypes[0]
   WHERE p.proname = ANY (ARRAY(SELECT pg_catalog.jsonb_array_elements_text($2::jsonb)))
     AND p.oid >= 16384 AND t.typtype IN ('c', 'p', 'd')
  UNION ALL
  SELECT 'operator', o.oprname, n.nspname, pg_catalog.pg_operator_is_visible(o.oid), o.oprcode::oid
    FROM pg_catalog.pg_operator o JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace
   WHERE o.oid >= 16384 AND o.oprname = ANY (ARRAY(SELECT pg_catalog.jsonb_array_elements_text($3::jsonb)))
  UNION ALL
  SELECT 'type', t.typname, n.nspname, pg_catalog.pg_type_is_visible(t.oid), c.oid
    FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace,
         LATERAL (SELECT castfunc FROM pg_catalog.pg_cast WHERE casttarget = t.oid AND castfunc >= 16384
                  UNION ALL
                  SELECT part[1]::oid FROM pg_catalog.pg_constraint k,
                         pg_catalog.regexp_matches(k.conbin::text, ':funcid (\\d+)', 'g') part
                   WHERE k.contypid = t.oid) c (oid)
   WHERE t.typname = ANY (ARRAY(SELECT pg_catalog.jsonb_array_elements_text($4::jsonb)))
  UNION ALL
  SELECT 'relation', part.name, part.schema, part.visible, coalesce(o.oprcode::oid, part.oid)
    FROM part LEFT JOIN pg_catalog.pg_operator o ON part.kind = 'opno' AND o.oid = part.oid
),
called AS (
  SELECT * FROM used
  UNION
  SELECT used.kind, used.name, used.schema, used.visible, step.oid
    FROM used JOIN pg_catalog.pg_aggregate a ON a.aggfnoid = used.oid,
         pg_catalog.unnest(ARRAY[a.aggtransfn::oid, a.aggfinalfn::oid, a.aggmtransfn::oid, a.aggminvtransfn::oid,
                      a.aggmfinalfn::oid, a.aggcombinefn::oid, a.aggdeserialfn::oid]) step (oid)
)
SELECT called.kind, called.name, called.schema, called.visible, n.nspname, p.proname, l.lanname,
       l.lanpltrusted, p.provolatile = 'v', p.prosecdef, e.extname, r.as_superuser,
       CASE WHEN r.as_superuser AND l.lanpltrusted AND e.extname IS NULL AND p.oid >= 16384 THEN
         pg_catalog.substring(pg_catalog.regexp_replace(pg_catalog.concat(p.prosrc, ' ', pg_catalog.pg_get_function_sqlbody(p.oid)), $6, '', 'g'), $7)
       END
  FROM called
  JOIN pg_catalog.pg_proc p ON p.oid = called.oid
  JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
  JOIN pg_catalog.pg_language l ON l.oid = p.prolang
  LEFT JOIN pg_catalog.pg_depend d
    ON d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
  LEFT JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid,
  LATERAL (SELECT rolsuper FROM pg_catalog.pg_roles
            WHERE CASE WHEN p.prosecdef THEN oid = p.proowner ELSE rolname = current_user END) r (as_superuser)
 WHERE p.prokind <> 'a' AND (p.provolatile = 'v' OR p.oid >= 16384)
   AND NOT (l.lanname = 'internal' AND p.oid >= 16384 AND EXISTS (
         SELECT FROM pg_catalog.pg_proc b WHERE b.oid < 16384 AND b.prosrc = p.prosrc AND b.provolatile <> 'v'))`;

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

  async function ask(unknown: readonly string[][], signal: AbortSignal): Promise<Map<string, FoundFunction[]>> {
    const lists = unknown.map((names) => JSON.stringify(names));
    const rows = await readRows(database, FIND_SQL, [...lists, STRINGS_AND_COMMENTS, OUTWARD], signal, MAX_FOUND);
    if (rows.length >= MAX_FOUND) throw tooManyFunctions();
    const found = new Map<string, FoundFunction[]>();
    for (const row of rows) {
      const key = toUseKey(row[0] as UseKind, String(row[1]));
      found.set(key, [...(found.get(key) ?? []), toFound(row)]);
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
      const asked = KINDS.map((kind) => [
        ...new Set(
          uses.filter((use) => use.kind === kind && unknown.has(toUseKey(kind, use.name))).map((use) => use.name),
        ),
      ]);
      const found = await ask(asked, signal);
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

/** In the order of the parameters of the question. */
const KINDS: readonly UseKind[] = ['function', 'attribute', 'operator', 'type', 'relation'];

function toFound(row: readonly unknown[]): FoundFunction {
  const [
    ,
    ,
    schema,
    isVisible,
    ofSchema,
    name,
    language,
    isTrusted,
    isVolatile,
    isSecurityDefiner,
    extension,
    asSuperuser,
    word,
  ] = row;
  return {
    schema: String(schema),
    isVisible: isVisible === true,
    facts: {
      schema: String(ofSchema),
      name: String(name),
      language: String(language),
      isTrusted: isTrusted === true,
      isVolatile: isVolatile === true,
      isSecurityDefiner: isSecurityDefiner === true,
      extension: typeof extension === 'string' ? extension : undefined,
      runsAsSuperuser: asSuperuser === true,
      outwardWord: typeof word === 'string' ? word.toLowerCase() : undefined,
    },
  };
}
