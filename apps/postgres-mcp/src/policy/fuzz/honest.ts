/**
 * For the fuzz test: statements that only read, with what hostile ones are made of as data in strings, comments and
 * names. Each must run.
 */
import type { Dice } from './dice.ts';
import { commandAround, hostileCommand, hostileExpression, type FuzzTargets } from './hostile.ts';

/** Text that would be hostile if it were not data. */
export function words(dice: Dice, targets: FuzzTargets): string {
  return dice.chance(0.5) ? commandAround(dice, hostileCommand(dice, targets)) : hostileExpression(dice, targets);
}

/** Text in one of the ways to write a string. */
export function asLiteral(dice: Dice, text: string): string {
  const quoted = text.replaceAll("'", "''");
  return dice.pick([
    () => `'${quoted}'`,
    () => `E'${quoted.replaceAll('\\', '\\\\')}'`,
    () => `U&'${quoted.replaceAll('\\', '\\\\')}'`,
    () => `$honest$${text}$honest$`,
    () => `'${quoted}\u200b'`,
    () => `N'${quoted}'`,
  ])();
}

/** Hostile words in a comment. */
export function asComment(dice: Dice, text: string): string {
  const flat = text.replaceAll(/[\n\r\f]/g, ' ');
  return dice.chance(0.5) ? `-- ${flat}\n` : `/* ${flat.replaceAll('*/', '').replaceAll('/*', '')} */`;
}

function asName(text: string): string {
  return `"${[...text.replaceAll(/[\s\u00a0]/g, ' ')].slice(0, 20).join('').replaceAll('"', '""')}"`;
}

type Type = 'int' | 'text' | 'bool';

/** An expression of a type over the columns `id`, `name` and `price` of the table `s`. */
export function honestExpression(dice: Dice, type: Type, depth: number, targets: FuzzTargets): string {
  const more = (other: Type): string => honestExpression(dice, other, depth - 1, targets);
  if (depth <= 0) {
    return {
      int: () => dice.pick(['s.id', '7', "'3'::int", 'length(s.name)', '(s.price)::int']),
      text: () =>
        dice.chance(0.5)
          ? dice.pick(['s.name', '(s).name', 's.price::text', 'current_user::text'])
          : asLiteral(dice, words(dice, targets)),
      bool: () => dice.pick(['true', 's.id > 1', 's.name IS NOT NULL', "s.name LIKE '%a%'"]),
    }[type]();
  }
  return {
    int: () =>
      dice.pick([
        () => `(${more('int')} + ${more('int')})`,
        () => `(${more('int')} <+> ${more('int')})`,
        () => `abs(${more('int')})`,
        () => `pg_catalog.length(${more('text')})`,
        () => `"length"(${more('text')})`,
        () => `U&"lengt\\0068"(${more('text')})`,
        () => `CASE WHEN ${more('bool')} THEN ${more('int')} ELSE 0 END`,
        () => `coalesce(${more('int')}, 0)`,
        () => `(SELECT count(*)::int FROM stock x WHERE x.id = ${more('int')})`,
        () => `cardinality(ARRAY[${more('int')}, 2])`,
        () => `coalesce(public.price_of(${more('int')}), 0)::int`,
        () => `other.nextval(${more('int')})`,
        () => `public.pg_notify(${more('int')})`,
      ])(),
    text: () =>
      dice.pick([
        () => `lower(${more('text')})`,
        () => `(${more('text')} || ${more('text')})`,
        () => `left(${more('text')}, 9)`,
        () => `replace(${more('text')}, ';', '')`,
        () => `coalesce(${more('text')}, 'x')`,
        () => `md5(${more('text')})`,
        () => `(${more('int')})::text`,
        () => `json_build_object('a', ${more('text')})::text`,
        () => `to_char(date '2024-01-02', 'YYYY') || ${more('text')}`,
        () => `repeat(${more('text')}, 2)`,
      ])(),
    bool: () =>
      dice.pick([
        () => `(${more('int')} < ${more('int')})`,
        () => `(${more('bool')} AND NOT ${more('bool')})`,
        () => `(${more('text')} = ${more('text')})`,
        () => `(${more('int')} IN (SELECT id FROM cheap))`,
        () => `EXISTS (SELECT FROM stock y WHERE y.id = ${more('int')})`,
        () => `(${more('text')} IS DISTINCT FROM ${more('text')})`,
        () => `(similarity(${more('text')}, 'b') > 2)`,
      ])(),
  }[type]();
}

/** One of them. */
export function honestStatement(dice: Dice, targets: FuzzTargets): string {
  const type = dice.pick(['int', 'text', 'bool'] as const);
  const expression = honestExpression(dice, type, dice.below(4), targets);
  const name = asName(words(dice, targets));
  const query = dice.pick([
    `SELECT ${expression} AS ${name} FROM stock s`,
    `SELECT id FROM stock s WHERE ${honestExpression(dice, 'bool', 2, targets)} ORDER BY (${expression})::text`,
    `SELECT count(*) FILTER (WHERE ${honestExpression(dice, 'bool', 1, targets)}) AS ${name} FROM stock s`,
    `WITH ${name} AS (SELECT s.*, ${expression} AS x FROM stock s) SELECT x FROM ${name}`,
    `SELECT max(${honestExpression(dice, 'int', 2, targets)}) OVER (PARTITION BY s.name) FROM stock s`,
    `SELECT ${honestExpression(dice, 'text', 2, targets)}, count(*) FROM stock s GROUP BY 1`,
    `SELECT * FROM stock s CROSS JOIN LATERAL (SELECT ${expression} AS ${name}) l`,
    `VALUES (${asLiteral(dice, words(dice, targets))}, 1)`,
    `SELECT s.id FROM stock s UNION SELECT ${honestExpression(dice, 'int', 1, targets)} FROM stock s`,
    `EXPLAIN (ANALYZE, COSTS off) SELECT ${expression} FROM stock s`,
    `EXPLAIN ${dice.pick(["INSERT INTO stock VALUES (9, 'x', 1)", 'UPDATE stock SET price = 1', 'DELETE FROM stock'])}`,
    'SHOW transaction_read_only',
    'TABLE cheap',
    `SELECT DISTINCT random() < 2, clock_timestamp() > now(), gen_random_uuid() IS NULL FROM stock s`,
    `SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = ${asLiteral(dice, words(dice, targets))}`,
  ]);
  const end = dice.pick(['', ';', ' ; ', '; -- x', '/* ; */']);
  return dice.chance(0.5) ? asComment(dice, words(dice, targets)) + query + end : query + end;
}
