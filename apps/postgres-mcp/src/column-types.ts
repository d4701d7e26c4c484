/** The SQL names of column types, as `format_type` writes them: `numeric(10,2)`, `timestamp with time zone`. */

/** A type and its modifier (length, precision), as Postgres describes a column. */
export interface ColumnType {
  oid: number;
  modifier: number;
}

/** Runs a query on the catalog and gives its rows as text. */
export type RunCatalogQuery = (sql: string, params: string[]) => Promise<(string | null)[][]>;

/** OIDs below this are Postgres's own and mean the same for ever (FirstNormalObjectId). */
const FIRST_USER_OID = 16_384;
/** A modifier can be anything, so the cache is emptied when it gets this big. */
const MAX_CACHED = 1_000;

const LOOK_UP_SQL = `
  SELECT pg_catalog.format_type(wanted.oid, wanted.modifier)
    FROM unnest($1::oid[], $2::int[]) WITH ORDINALITY AS wanted (oid, modifier, place)
   ORDER BY wanted.place`;

const keyOf = ({ oid, modifier }: ColumnType): string => `${oid}:${modifier}`;

/** Creates the names of one database; only types that Postgres itself defines are remembered. */
export function createTypeNames(): { lookUp(types: readonly ColumnType[], run: RunCatalogQuery): Promise<string[]> } {
  const cache = new Map<string, string>();
  return {
    async lookUp(types, run) {
      const unknown = [...new Map(types.map((type) => [keyOf(type), type])).values()].filter(
        (type) => !cache.has(keyOf(type)),
      );
      const found = new Map<string, string>();
      if (unknown.length > 0) {
        const oids = `{${unknown.map((type) => type.oid).join()}}`;
        const modifiers = `{${unknown.map((type) => type.modifier).join()}}`;
        const names = await run(LOOK_UP_SQL, [oids, modifiers]);
        unknown.forEach((type, index) => found.set(keyOf(type), names[index]?.[0] ?? String(type.oid)));
      }
      const result = types.map((type) => found.get(keyOf(type)) ?? cache.get(keyOf(type)) ?? String(type.oid));
      if (cache.size > MAX_CACHED) cache.clear();
      for (const type of unknown) {
        const name = found.get(keyOf(type));
        if (type.oid < FIRST_USER_OID && name !== undefined) cache.set(keyOf(type), name);
      }
      return result;
    },
  };
}
