/** The types of a statement's parameters: asked of Postgres itself, and what arrays and objects become for each. */
import type { RunCatalogQuery } from './column-types.ts';
import type { ParameterType } from './parameters.ts';

/** Types that are created and dropped again and again get a new OID each time, so the cache is emptied at this size. */
const MAX_CACHED = 1_000;

const TEXTS: readonly [oid: number, name: string, arrayOid: number][] = [
  [25, 'text', 1009],
  [1042, 'character', 1014],
  [1043, 'character varying', 1015],
];
const DOCUMENTS: typeof TEXTS = [
  [114, 'json', 199],
  [3802, 'jsonb', 3807],
];
const OTHERS: typeof TEXTS = [
  [16, 'boolean', 1000],
  [20, 'bigint', 1016],
  [21, 'smallint', 1005],
  [23, 'integer', 1007],
  [26, 'oid', 1028],
  [700, 'real', 1021],
  [701, 'double precision', 1022],
  [1700, 'numeric', 1231],
  [1082, 'date', 1182],
  [1114, 'timestamp without time zone', 1115],
  [1184, 'timestamp with time zone', 1185],
  [2950, 'uuid', 2951],
];

/** The most used types by OID (pg_type.dat: these are fixed); the rest is looked up. */
const KNOWN: ReadonlyMap<number, ParameterType> = new Map([
  ...TEXTS.flatMap((type) => withArray('text', type)),
  ...DOCUMENTS.flatMap((type) => withArray('json', type)),
  ...OTHERS.flatMap((type) => withArray('other', type)),
]);

function withArray(
  kind: Exclude<ParameterType['kind'], 'array'>,
  [oid, name, arrayOid]: (typeof TEXTS)[number],
): [number, ParameterType][] {
  const element: ParameterType = { kind, name };
  return [
    [oid, element],
    [arrayOid, { kind: 'array', name: `${name}[]`, element, delimiter: ',' }],
  ];
}

/** An array type is one that another type names as its array: int2vector is in the same category, but written without braces. */
const LOOK_UP_SQL = `
  SELECT pg_catalog.format_type(t.oid, NULL), t.typcategory, NULLIF(t.typbasetype, 0), e.oid, e.typdelim
    FROM pg_catalog.pg_type t LEFT JOIN pg_catalog.pg_type e ON e.typarray = t.oid WHERE t.oid = $1`;

/** Creates the types of one database. */
export function createParameterTypes(): { lookUp(oid: number, run: RunCatalogQuery): Promise<ParameterType> } {
  const cache = new Map<number, ParameterType>();

  async function lookUp(oid: number, run: RunCatalogQuery): Promise<ParameterType> {
    const known = KNOWN.get(oid) ?? cache.get(oid);
    if (known) return known;
    const found = await resolve(oid, run);
    if (cache.size >= MAX_CACHED) cache.clear();
    cache.set(oid, found);
    return found;
  }

  async function resolve(oid: number, run: RunCatalogQuery): Promise<ParameterType> {
    const [[name, category, base, element, delimiter] = []] = await run(LOOK_UP_SQL, [String(oid)]);
    const type = { name: name ?? String(oid) };
    if (base) return { ...(await lookUp(Number(base), run)), ...type };
    if (element)
      return { ...type, kind: 'array', element: await lookUp(Number(element), run), delimiter: delimiter ?? ',' };
    // Category S is that of strings; those of Postgres's catalog (name) are too short for JSON text.
    return { ...type, kind: category === 'S' && type.name !== 'name' ? 'text' : 'other' };
  }

  return { lookUp };
}
