/** What is asked, and the table that it is asked of. */

/** A statement and what must come back. */
export interface Query {
  name: string;
  sql: string;
  rows: number;
}

/** A row, and a page as a model asks for it. */
export const QUERIES: readonly Query[] = [
  { name: 'SELECT 1', sql: 'SELECT 1', rows: 1 },
  {
    name: '100 rows',
    sql: 'SELECT id, customer, amount, ordered_at, is_paid, note FROM orders ORDER BY id LIMIT 100',
    rows: 100,
  },
];

/** Bytes of the large cell. */
export const LARGE_CELL_BYTES = 50_000_000;
/** One cell of 50 MB. */
export const LARGE_CELL_SQL = `SELECT repeat('x', ${LARGE_CELL_BYTES}) AS cell`;

/** Six columns of the types that tables mostly have. */
export const SCHEMA_SQL = `
  CREATE TABLE orders (
    id int PRIMARY KEY, customer text, amount numeric(10, 2), ordered_at timestamptz, is_paid boolean, note text
  );
  INSERT INTO orders
  SELECT n, 'customer ' || n, n * 1.25, timestamptz '2026-01-01 00:00Z' + n * interval '1 hour', n % 3 = 0,
         'a note on order ' || n
    FROM generate_series(1, 1000) AS n;
  ANALYZE orders;
  GRANT SELECT ON orders TO PUBLIC;
`;
