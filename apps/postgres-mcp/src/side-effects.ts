/**
 * Functions that act outside of the tables although a READ ONLY transaction lets them: they reach files, other servers,
 * other sessions, or SQL text that no parser sees. Compared as parsed names, so quoting and comments hide nothing.
 */
import type { ParseNode } from './sql-parser.ts';

/** Names in lower case; `*` at the end stands for any rest. */
const SIDE_EFFECTS: readonly (readonly [reason: string, names: string])[] = [
  [
    'reads files of the database server',
    'pg_read_file* pg_read_binary_file* pg_stat_file pg_ls_* pg_file_* pg_current_logfile lo_import lo_export pg_hba_file_rules pg_ident_file_mappings',
  ],
  ['changes large objects', 'lo_creat lo_create lo_open lo_put lo_unlink lo_from_bytea lo_truncate* loread lowrite'],
  ['connects to another server', 'dblink* postgres_fdw_*'],
  ['runs SQL text that cannot be checked', 'query_to_xml* cursor_to_xml* ts_stat crosstab* connectby* xpath_table'],
  [
    'acts on other sessions or on the server',
    'pg_terminate_backend pg_cancel_backend pg_reload_conf pg_rotate_logfile* pg_promote pg_log_backend_memory_contexts pg_notify pg_signal_backend',
  ],
  ['takes locks that outlive the statement', 'pg_advisory_* pg_try_advisory_*'],
  [
    'changes the state of the server',
    'pg_switch_wal pg_switch_xlog pg_create_restore_point pg_backup_* pg_start_backup pg_stop_backup pg_wal_replay_* pg_stat_reset* pg_stat_statements_reset pg_stat_clear_* pg_stat_force_* pg_logical_* pg_create_physical_replication_slot pg_create_logical_replication_slot pg_drop_replication_slot pg_copy_physical_replication_slot pg_copy_logical_replication_slot pg_replication_* pg_sync_replication_slots pg_export_snapshot pg_import_system_collations gin_clean_pending_list brin_summarize_* brin_desummarize_* pg_clear_* pg_restore_* pg_prewarm autoprewarm_* pg_truncate_visibility_map',
  ],
  ['changes a setting', 'set_config'],
  ['changes a sequence', 'nextval setval'],
];

const exact = new Map<string, string>();
const prefixes: [prefix: string, reason: string][] = [];
for (const [reason, names] of SIDE_EFFECTS) {
  for (const name of names.split(' ')) {
    if (name.endsWith('*')) prefixes.push([name.slice(0, -1), reason]);
    else exact.set(name, reason);
  }
}

/** The function of a call node and what it does, when it acts outside of the tables. */
export function findSideEffect(call: object): { name: string; reason: string } | undefined {
  const parts = (call as ParseNode)['funcname'];
  if (!Array.isArray(parts)) return undefined;
  const last = parts.at(-1) as { String?: { sval?: string } } | undefined;
  const name = last?.String?.sval ?? '';
  const reason = exact.get(name) ?? prefixes.find(([prefix]) => name.startsWith(prefix))?.[1];
  return reason === undefined ? undefined : { name, reason };
}
