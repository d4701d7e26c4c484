/**
 * The questions that `function-facts.ts` asks the system catalog. Each is planned and answered by index within a
 * millisecond or two however large the catalog is. One question for everything was not: its estimates went so high that
 * Postgres compiled it (JIT), which took seconds.
 */

/**
 * Words in the source of SQL and PL/pgSQL functions: statements made of text, COPY, and what `side-effects.ts` refuses.
 * String constants and comments are cut out before; a string can only be run by EXECUTE, which is itself a word.
 */
const OUTWARD_WORDS =
  'execute copy dblink\\w* postgres_fdw_\\w* pg_read_\\w+ pg_ls_\\w+ pg_stat_file pg_file_\\w+ lo_import lo_export pg_terminate_backend pg_cancel_backend pg_notify notify pg_t?r?y?_?advisory_\\w+ pg_reload_conf pg_rotate_logfile pg_promote pg_switch_wal pg_create_\\w+ pg_drop_replication_slot pg_copy_\\w+ pg_logical_\\w+ pg_replication_\\w+ pg_backup_\\w+ pg_wal_replay_\\w+ pg_log_\\w+ pg_stat_reset\\w* pg_export_snapshot pg_import_system_collations pg_clear_\\w+ pg_restore_\\w+ gin_clean_pending_list brin_\\w+ query_to_xml\\w* cursor_to_xml\\w* ts_stat ts_rewrite set_config';
/** Finds one of them. */
export const OUTWARD = `(?i)\\m(${OUTWARD_WORDS.replaceAll(' ', '|')})\\M`;
/** What is no code in a source. */
export const NO_CODE = `'(?:[^']|'')*'|--[^\\n]*|/\\*.*?\\*/`;

/** What was made by people has an oid from FirstNormalObjectId on. */
const MADE = '>= 16384';

/**
 * What the names stand for. $1 to $5: names of functions, attributes, operators, relations, materialized views that are
 * to be filled. Columns: kind, name, schema, found without it, `f` for a function or `v` for a view, its oid.
 */
export const NAMES_SQL = `
  SELECT 'function', p.proname, n.nspname, pg_catalog.pg_function_is_visible(p.oid), 'f', p.oid::text
    FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
   WHERE p.proname = ANY ($1::text[]) AND (p.provolatile = 'v' OR p.oid ${MADE})
  UNION ALL
  SELECT 'attribute', p.proname, n.nspname, pg_catalog.pg_function_is_visible(p.oid), 'f', p.oid::text
    FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
    JOIN pg_catalog.pg_type t ON t.oid = p.proargtypes[0] AND t.typtype IN ('c', 'p', 'd')
   WHERE p.proname = ANY ($2::text[]) AND p.oid ${MADE}
  UNION ALL
  SELECT 'operator', o.oprname, n.nspname, pg_catalog.pg_operator_is_visible(o.oid), 'f', o.oprcode::oid::text
    FROM pg_catalog.pg_operator o JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace
   WHERE o.oprname = ANY ($3::text[]) AND o.oid ${MADE}
  UNION ALL
  SELECT 'relation', c.relname, n.nspname, pg_catalog.pg_table_is_visible(c.oid), 'v', c.oid::text
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
   WHERE c.relname = ANY ($4::text[]) AND c.relkind = 'v'
  UNION ALL
  SELECT 'materialized view', c.relname, n.nspname, pg_catalog.pg_table_is_visible(c.oid), 'v', c.oid::text
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
   WHERE c.relname = ANY ($5::text[]) AND c.relkind = 'm'`;

/**
 * What casts to types ($1, names) may call, in the columns of {@link NAMES_SQL}: a cast to a type is one to its parts too,
 * the type below a domain, the columns of a row, the elements of an array or a range. Of each these are casts, the checks
 * of a domain, and what a range is built with. The operators are joined: a subquery for each was estimated so high that
 * four names were compiled.
 */
export const TYPES_SQL = `
  WITH RECURSIVE parts (root, oid) AS (
    SELECT t.oid, t.oid FROM pg_catalog.pg_type t WHERE t.typname = ANY ($1::text[])
    UNION
    SELECT p.root, part.oid FROM parts p JOIN pg_catalog.pg_type t ON t.oid = p.oid AND t.oid ${MADE}, LATERAL (
      SELECT t.typbasetype UNION ALL SELECT t.typelem
      UNION ALL SELECT a.atttypid FROM pg_catalog.pg_attribute a WHERE a.attrelid = t.typrelid AND a.attnum > 0
      UNION ALL SELECT r.rngsubtype FROM pg_catalog.pg_range r WHERE r.rngtypid = t.oid
      UNION ALL SELECT r.rngtypid FROM pg_catalog.pg_range r WHERE r.rngmultitypid = t.oid) part (oid)
     WHERE part.oid <> 0),
  called (root, oid) AS (
    SELECT p.root, c.castfunc::oid FROM parts p JOIN pg_catalog.pg_cast c ON c.casttarget = p.oid AND c.castfunc ${MADE}
    UNION
    SELECT p.root, coalesce(o.oprcode::oid, word[2]::oid)
      FROM parts p JOIN pg_catalog.pg_constraint k ON k.contypid = p.oid
     CROSS JOIN LATERAL pg_catalog.regexp_matches(k.conbin::text, ':(funcid|opno) (\\d+)', 'g') word
      LEFT JOIN pg_catalog.pg_operator o ON word[1] = 'opno' AND o.oid = word[2]::oid
    UNION
    SELECT p.root, made.oid FROM parts p JOIN pg_catalog.pg_range r ON r.rngtypid = p.oid, LATERAL (
      VALUES (r.rngcanonical::oid), (r.rngsubdiff::oid)) made (oid) WHERE made.oid ${MADE})
  SELECT 'type', t.typname, n.nspname, pg_catalog.pg_type_is_visible(t.oid), 'f', c.oid::text
    FROM called c JOIN pg_catalog.pg_type t ON t.oid = c.root JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace`;

/**
 * What views ($1, oids) call: the view, `f` or `v`, the oid of the function or view. pg_node_tree is text in which
 * `:funcid 2624` names a function; dependencies would not do, because those on built-in functions are not recorded.
 */
export const VIEWS_SQL = `
  SELECT DISTINCT r.ev_class::text, CASE part[1] WHEN 'relid' THEN 'v' ELSE 'f' END,
         CASE part[1] WHEN 'opno' THEN (SELECT o.oprcode::oid::text FROM pg_catalog.pg_operator o WHERE o.oid = part[2]::oid)
              ELSE part[2] END
    FROM pg_catalog.pg_rewrite r,
         pg_catalog.regexp_matches(r.ev_action::text, ':(funcid|aggfnoid|winfnoid|opno|relid) (\\d+)', 'g') part
   WHERE r.ev_class = ANY ($1::oid[]) AND r.ev_type = '1'
     AND (part[1] <> 'relid' OR EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = part[2]::oid AND c.relkind = 'v'))`;

/**
 * What is known of functions ($1, oids), but for built-in ones that are not VOLATILE. $2 and $3 are {@link NO_CODE} and
 * {@link OUTWARD}. An aggregate gives its parts in the last column. A function in the language internal that is a
 * harmless built-in under another name (as the constructors of a range type are) needs no judging.
 */
export const FACTS_SQL = `
  SELECT p.oid::text, n.nspname, p.proname, l.lanname, l.lanpltrusted, p.provolatile = 'v', p.prosecdef, e.extname,
         r.rolsuper,
         CASE WHEN r.rolsuper AND l.lanpltrusted AND e.extname IS NULL AND p.oid ${MADE} THEN
           pg_catalog.substring(pg_catalog.regexp_replace(pg_catalog.concat(p.prosrc, ' ', pg_catalog.pg_get_function_sqlbody(p.oid)), $2, '', 'g'), $3)
         END,
         CASE WHEN p.prokind = 'a' THEN (
           SELECT pg_catalog.concat_ws(' ', a.aggtransfn::oid, a.aggfinalfn::oid, a.aggmtransfn::oid, a.aggminvtransfn::oid,
                                       a.aggmfinalfn::oid, a.aggcombinefn::oid, a.aggdeserialfn::oid)
             FROM pg_catalog.pg_aggregate a WHERE a.aggfnoid = p.oid)
         END
    FROM pg_catalog.pg_proc p
    JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
    JOIN pg_catalog.pg_language l ON l.oid = p.prolang
    JOIN pg_catalog.pg_roles r ON CASE WHEN p.prosecdef THEN r.oid = p.proowner ELSE r.rolname = current_user END
    LEFT JOIN pg_catalog.pg_depend d
      ON d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid AND d.objsubid = 0 AND d.deptype = 'e'
    LEFT JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
   WHERE p.oid = ANY ($1::oid[]) AND (p.provolatile = 'v' OR p.oid ${MADE})
     AND NOT (l.lanname = 'internal' AND p.prokind <> 'a' AND p.oid ${MADE} AND EXISTS (
           SELECT FROM pg_catalog.pg_proc b WHERE b.oid < 16384 AND b.prosrc = p.prosrc AND b.provolatile <> 'v'))`;
