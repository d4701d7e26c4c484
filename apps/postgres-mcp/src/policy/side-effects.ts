/**
 * What is known beforehand of functions that Postgres and its contributed extensions bring: which act outside of the
 * tables although a READ ONLY transaction lets them, and which are VOLATILE and nevertheless harmless. A volatile
 * built-in that is in neither table counts as unjudged and is refused; a test holds the tables to the server's pg_proc.
 */

/** What a function does that a reader must not, with the names; `*` at the end stands for any rest. */
type Family = readonly [reason: string, names: string];

const FILES = 'reads files of the database server or writes them';
const OTHER_SERVER = 'connects to another server';
const SQL_TEXT = 'runs SQL text that cannot be checked';
const SEQUENCE = 'changes a sequence';

/** Functions in pg_catalog. */
const BUILT_IN: readonly Family[] = [
  [
    FILES,
    'pg_read_file pg_read_file_old pg_read_binary_file pg_stat_file pg_ls_* pg_file_* pg_current_logfile lo_import lo_export pg_hba_file_rules pg_ident_file_mappings pg_available_wal_summaries pg_wal_summary_contents',
  ],
  [
    'changes large objects or opens them for it (lo_get reads one)',
    'lo_creat lo_create lo_open lo_close lo_lseek lo_lseek64 lo_tell lo_tell64 lo_put lo_unlink lo_from_bytea lo_truncate lo_truncate64 loread lowrite',
  ],
  [SQL_TEXT, 'query_to_xml* cursor_to_xml* ts_stat ts_rewrite'],
  [
    'acts on other sessions',
    'pg_terminate_backend pg_cancel_backend pg_notify pg_log_backend_memory_contexts pg_export_snapshot',
  ],
  ['takes or frees locks of the session', 'pg_advisory_* pg_try_advisory_*'],
  [
    'acts on the server',
    'pg_reload_conf pg_rotate_logfile* pg_promote pg_switch_wal pg_create_restore_point pg_backup_* pg_start_backup pg_stop_backup pg_wal_replay_pause pg_wal_replay_resume pg_log_standby_snapshot pg_nextoid pg_stop_making_pinned_objects pg_extension_config_dump pg_import_system_collations binary_upgrade_*',
  ],
  ['changes what the server has counted', 'pg_stat_reset* pg_stat_clear_* pg_stat_force_* pg_clear_* pg_restore_*'],
  [
    'acts on replication',
    'pg_logical_* pg_create_physical_replication_slot pg_create_logical_replication_slot pg_drop_replication_slot pg_copy_physical_replication_slot pg_copy_logical_replication_slot pg_replication_* pg_sync_replication_slots',
  ],
  ['changes an index', 'gin_clean_pending_list brin_summarize_* brin_desummarize_*'],
  ['changes a setting of the session', 'set_config setseed'],
  [SEQUENCE, 'nextval setval'],
];

/** Functions of extensions, whichever volatility they are declared with. */
const OF_EXTENSIONS: readonly Family[] = [
  [OTHER_SERVER, 'dblink* postgres_fdw_*'],
  [SQL_TEXT, 'crosstab* connectby* xpath_table cypher'],
  [FILES, 'pg_file_* pg_logdir_ls lo_import lo_export'],
];

/** Volatile functions that only read or compute: the first part in pg_catalog, the second in extensions. */
const HARMLESS = new Set(
  `array_sample array_shuffle clock_timestamp current_query currtid2 currval lastval gen_random_uuid random random_normal
  timeofday uuidv4 uuidv7 pg_sleep pg_sleep_for pg_sleep_until lo_get amvalidate
  pg_blocking_pids pg_safe_snapshot_blocking_pids pg_isolation_test_session_is_blocked pg_lock_status pg_prepared_xact
  pg_collation_actual_version pg_database_collation_actual_version pg_control_checkpoint pg_control_init
  pg_control_recovery pg_control_system pg_current_wal_flush_lsn pg_current_wal_insert_lsn pg_current_wal_lsn
  pg_database_size pg_indexes_size pg_relation_size pg_table_size pg_tablespace_size pg_total_relation_size
  pg_get_aios pg_get_backend_memory_contexts pg_get_loaded_modules pg_get_multixact_members pg_get_sequence_data
  pg_get_shmem_allocations pg_get_shmem_allocations_numa pg_get_wait_events pg_get_wal_replay_pause_state
  pg_get_wal_resource_managers pg_get_wal_summarizer_state pg_is_in_recovery pg_is_in_backup pg_backup_start_time
  pg_is_wal_replay_paused pg_jit_available pg_last_committed_xact pg_last_wal_receive_lsn pg_last_wal_replay_lsn
  pg_last_xact_replay_timestamp pg_notification_queue_usage pg_partition_ancestors pg_partition_tree
  pg_sequence_last_value pg_show_all_file_settings pg_show_replication_origin_status pg_stat_get_*
  pg_stat_have_stats pg_xact_commit_timestamp pg_xact_commit_timestamp_origin pg_xact_status txid_status
  uuid_generate_v1 uuid_generate_v1mc uuid_generate_v4 gen_random_bytes gen_salt pgp_* normal_rand
  pg_stat_statements pg_stat_statements_info pg_buffercache_pages pg_buffercache_summary pg_buffercache_usage_counts
  pg_buffercache_numa_pages pg_freespace pg_visibility pg_visibility_map pg_visibility_map_summary pg_check_frozen
  pg_check_visible pgrowlocks pgstattuple pgstattuple_approx pgstatindex pgstatginindex pgstathashindex pg_relpages
  bt_index_check bt_index_parent_check verify_heapam pg_get_wal_* hypopg hypopg_list_indexes hypopg_relation_size
  st_generatepoints`
    .split(/\s+/)
    .filter((name) => !name.endsWith('*')),
);
const HARMLESS_PREFIXES = ['pg_stat_get_', 'pgp_', 'pg_get_wal_'];

interface Table {
  exact: Map<string, string>;
  prefixes: (readonly [prefix: string, reason: string])[];
}

const builtIn = toTable(BUILT_IN);
const ofExtensions = toTable(OF_EXTENSIONS);

function toTable(families: readonly Family[]): Table {
  const table: Table = { exact: new Map(), prefixes: [] };
  for (const [reason, names] of families) {
    for (const name of names.split(' ')) {
      if (name.endsWith('*')) table.prefixes.push([name.slice(0, -1), reason]);
      else table.exact.set(name, reason);
    }
  }
  return table;
}

function find(table: Table, name: string): string | undefined {
  return table.exact.get(name) ?? table.prefixes.find(([prefix]) => name.startsWith(prefix))?.[1];
}

/** What the function of pg_catalog does that a reader must not. */
export function findBuiltInSideEffect(name: string): string | undefined {
  return isHarmless(name) ? undefined : find(builtIn, name);
}

/** The same for a function of an extension. */
export function findExtensionSideEffect(name: string): string | undefined {
  return find(ofExtensions, name);
}

/** Whether a volatile function of Postgres or of an extension is known to read or compute only. */
export function isHarmless(name: string): boolean {
  return HARMLESS.has(name) || HARMLESS_PREFIXES.some((prefix) => name.startsWith(prefix));
}
