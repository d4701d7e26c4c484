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
 * What the names stand for. $1 to $5: names of functions, attributes, operators, types, relations. Columns: kind, name,
 * schema, found without it, `f` for a function or `v` for a view, its oid.
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
  SELECT 'type', t.typname, n.nspname, pg_catalog.pg_type_is_visible(t.oid), 'f', c.castfunc::text
    FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
    JOIN pg_catalog.pg_cast c ON c.casttarget = t.oid AND c.castfunc ${MADE}
   WHERE t.typname = ANY ($4::text[])
  UNION ALL
  SELECT 'type', t.typname, n.nspname, pg_catalog.pg_type_is_visible(t.oid), 'f', part[1]
    FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
    JOIN pg_catalog.pg_constraint k ON k.contypid = t.oid,
         pg_catalog.regexp_matches(k.conbin::text, ':funcid (\\d+)', 'g') part
   WHERE t.typname = ANY ($4::text[]) AND t.typtype = 'd'
  UNION ALL
  SELECT 'relation', c.relname, n.nspname, pg_catalog.pg_table_is_visible(c.oid), 'v', c.oid::text
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
   WHERE c.relname = ANY ($5::text[]) AND c.relkind = 'v'`;

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
