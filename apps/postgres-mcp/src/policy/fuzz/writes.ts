/** For the fuzz test of writes: statements that can be rehearsed, and those that do more than a rollback undoes. */
import type { Dice } from './dice.ts';
import { asComment, asLiteral, honestExpression, words } from './honest.ts';
import { hostileExpression, queryAround, type FuzzTargets } from './hostile.ts';

/** A write that must be rehearsed, with what its rehearsal leaves all the same (docs/adr/0024-writes-are-rehearsed.md). */
export interface HonestWrite {
  sql: string;
  /** The sequence that it advances. */
  draws?: string;
  /** The table whose rows and pages it has the planner count. */
  counts?: string;
}

/** One of them. */
export function honestWrite(dice: Dice, targets: FuzzTargets): HonestWrite {
  const text = (): string => honestExpression(dice, 'text', dice.below(3), targets);
  const int = (): string => honestExpression(dice, 'int', dice.below(3), targets);
  const where = (): string => honestExpression(dice, 'bool', dice.below(3), targets);
  const plain = `'${words(dice, targets).replaceAll("'", "''")}'`;
  const write = dice.pick<HonestWrite>([
    { sql: `INSERT INTO part SELECT s.id, ${text()} FROM stock s WHERE ${where()}` },
    { sql: `INSERT INTO stock (id, name) VALUES (${10 + dice.below(90)}, ${asLiteral(dice, words(dice, targets))})` },
    { sql: `INSERT INTO stock AS s VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET name = ${text()} WHERE ${where()}` },
    { sql: `UPDATE stock AS s SET name = ${text()}, price = ${int()} WHERE ${where()}` },
    { sql: `UPDATE stock s SET price = 1 WHERE ${where()} RETURNING ${text()} AS told` },
    { sql: `UPDATE part SET note = ${text()} FROM stock s WHERE s.id = part.of` },
    { sql: `DELETE FROM stock s WHERE ${where()}` },
    { sql: `DELETE FROM part USING stock s WHERE part.of = s.id AND ${where()} RETURNING part.*` },
    { sql: `WITH gone AS (DELETE FROM part RETURNING *) INSERT INTO stock (id, name) SELECT 9 + row_number() OVER (), note FROM gone` },
    { sql: `MERGE INTO stock s USING (VALUES (1), (7)) v (a) ON s.id = a WHEN MATCHED THEN UPDATE SET name = ${text()} WHEN NOT MATCHED THEN INSERT VALUES (a)` },
    { sql: `INSERT INTO ledger (note) SELECT ${text()} FROM stock s WHERE ${where()}`, draws: 'ledger_id_seq' },
    { sql: `INSERT INTO part SELECT 1, nextval('counter')::text`, draws: 'counter' },
    { sql: dice.pick(['TRUNCATE part', 'TRUNCATE stock CASCADE', 'TRUNCATE ledger RESTART IDENTITY']) },
    { sql: dice.pick(['DROP TABLE stock CASCADE', 'DROP TABLE part, ledger', 'DROP SEQUENCE counter CASCADE', 'DROP VIEW cheap']) },
    { sql: `CREATE TABLE fresh AS SELECT ${text()} AS a FROM stock s` },
    { sql: `CREATE MATERIALIZED VIEW fresh AS SELECT length(s.name) AS a, ${plain} AS b FROM stock s` },
    { sql: `CREATE VIEW fresh AS SELECT ${text()} AS a FROM stock s WHERE ${where()}` },
    { sql: `CREATE TABLE fresh (id serial PRIMARY KEY, a text DEFAULT ${plain})` },
    { sql: `ALTER TABLE stock ADD COLUMN fresh text DEFAULT ${plain}` },
    { sql: dice.pick(['ALTER TABLE part RENAME TO fresh', 'ALTER TABLE part DROP COLUMN note', 'ALTER SEQUENCE counter RESTART WITH 500']) },
    { sql: dice.pick(['CREATE SCHEMA fresh', "CREATE TYPE fresh AS ENUM ('a')", 'CREATE SEQUENCE fresh', 'CREATE DOMAIN fresh AS int CHECK (VALUE > 1)']) },
    { sql: `COMMENT ON TABLE stock IS ${plain}` },
    { sql: dice.pick(['ANALYZE part', 'CREATE INDEX ON part (note)', 'ALTER TABLE part ADD UNIQUE (of, note)']), counts: 'part' },
    { sql: 'REFRESH MATERIALIZED VIEW kept' },
  ]); // prettier-ignore
  const before = dice.chance(0.3) ? asComment(dice, words(dice, targets)) : '';
  return { ...write, sql: before + write.sql + dice.pick(['', ';', ' ; -- COMMIT', ' /* ; */']) };
}

/** Writes around something that no rollback undoes; each must be refused. */
export function hostileWrite(dice: Dice, targets: FuzzTargets): string {
  const hostile = hostileExpression(dice, targets);
  const query = queryAround(dice, hostile, dice.below(3));
  return dice.pick([
    `INSERT INTO part VALUES (1, (${hostile})::text)`,
    `INSERT INTO part (note) ${query}`,
    `INSERT INTO part VALUES (1, 'a') RETURNING (${hostile})::text`,
    `INSERT INTO stock VALUES (1, 'a') ON CONFLICT (id) DO UPDATE SET name = (${hostile})::text`,
    `UPDATE stock SET name = (${hostile})::text`,
    `UPDATE stock SET name = 'x' WHERE (${hostile}) IS NOT NULL`,
    `UPDATE stock SET name = 'x' FROM (${query}) q`,
    `DELETE FROM part WHERE EXISTS (${query})`,
    `WITH w AS MATERIALIZED (${query}) DELETE FROM part USING w`,
    `WITH w AS (DELETE FROM part RETURNING (${hostile})::text AS a) INSERT INTO part SELECT 1, a FROM w`,
    `MERGE INTO stock s USING (${query}) q ON s.id = 1 WHEN MATCHED THEN DELETE`,
    `MERGE INTO stock s USING (VALUES (1)) v (a) ON s.id = a WHEN MATCHED THEN UPDATE SET name = (${hostile})::text`,
    `CREATE TABLE fresh AS ${query}`,
    `CREATE MATERIALIZED VIEW fresh AS ${query}`,
    `CREATE VIEW fresh AS ${query}`,
    `CREATE TABLE fresh (a text DEFAULT (${hostile})::text)`,
    `ALTER TABLE stock ADD COLUMN fresh text DEFAULT (${hostile})::text`,
    `ALTER TABLE stock ALTER COLUMN name TYPE text USING (${hostile})::text`,
    `ALTER TABLE stock ADD CHECK ((${hostile}) IS NOT NULL)`,
    `CREATE INDEX ON stock (((${hostile})::text))`,
    `CREATE DOMAIN fresh AS text CHECK ((${hostile}) IS NOT NULL)`,
    `ALTER TABLE stock ALTER COLUMN name TYPE ${dice.pick(['leaving', 'checking', 'checking_below'])}`,
    'REFRESH MATERIALIZED VIEW setting',
  ]);
}
