/** Which index would serve the filter of a scan. Pure; whether it helps is tried with HypoPG, where there is one. */
import type { PlanNode } from './read-plan.ts';

/** More columns than this are seldom worth their upkeep. */
const MAX_EQUAL_COLUMNS = 3;

const NAME = String.raw`(?:"(?:[^"]|"")+"|[a-z_][a-z0-9_$]*)`;
/** `((t.status)::text = 'paid'::text)`: a column, perhaps cast, compared with a constant. */
const COMPARISON = new RegExp(
  String.raw`^\(*(?:${NAME}\.)?(${NAME})\)?(?:::[\w ]+(?:\([\d,]+\))?)? (=|<|>|<=|>=) (?:'|-?\d|\(?'?-|\$|ANY \('|\(\$)`,
);

/** The statement that makes the index, and the table; undefined when no btree index serves the filter. */
export function suggestIndex({ filter, relation }: PlanNode): { table: string; columns: string[] } | undefined {
  // An OR needs an index for each side, and what stands in a function an index on the expression.
  if (filter === undefined || relation === undefined || / OR /.test(filter)) return undefined;
  const comparisons = filter.split(' AND ').flatMap((part) => {
    const [, column = '', operator = ''] = COMPARISON.exec(part) ?? [];
    return column === '' ? [] : [{ column, isEqual: operator === '=' }];
  });
  const equal = comparisons.filter(({ isEqual }) => isEqual).slice(0, MAX_EQUAL_COLUMNS);
  const range = comparisons.find(({ isEqual }) => !isEqual);
  const columns = new Set([...equal, ...(range ? [range] : [])].map(({ column }) => column));
  return columns.size === 0 ? undefined : { table: relation, columns: [...columns] };
}
