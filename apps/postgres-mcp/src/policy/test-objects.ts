/**
 * For tests: a database with honest tables, functions and views, and with objects behind which something dangerous is.
 * `unsafe` is an untrusted language that every installation has: PL/pgSQL under another name.
 */
export const TEST_OBJECTS = `
  CREATE EXTENSION dblink; CREATE EXTENSION tablefunc; CREATE EXTENSION pgcrypto; CREATE EXTENSION pg_trgm; CREATE EXTENSION hstore;
  CREATE LANGUAGE unsafe HANDLER plpgsql_call_handler INLINE plpgsql_inline_handler VALIDATOR plpgsql_validator;
  CREATE TABLE stock (id int PRIMARY KEY, name text, price numeric); INSERT INTO stock VALUES (1, 'a', 2.50), (2, 'b', 3);
  CREATE SEQUENCE counter;
  CREATE TYPE thing AS (a int);
  CREATE TYPE span AS RANGE (subtype = int4);
  CREATE FUNCTION price_of(int) RETURNS numeric LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT price FROM stock WHERE id = $1); END $$;
  CREATE FUNCTION total() RETURNS numeric LANGUAGE sql AS 'SELECT sum(price) FROM stock -- no COPY here';
  CREATE FUNCTION atomic() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM stock; END;
  CREATE FUNCTION pg_notify(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1';
  CREATE FUNCTION crosstab_of_ours(int) RETURNS int LANGUAGE sql AS 'SELECT $1';
  CREATE FUNCTION run_sql(text) RETURNS text LANGUAGE plpgsql STABLE AS $$ DECLARE r text; BEGIN EXECUTE $1 INTO r; RETURN r; END $$;
  CREATE FUNCTION tell() RETURNS void LANGUAGE sql AS $$ SELECT pg_catalog.pg_notify('a', 'b') $$;
  CREATE FUNCTION tell_atomic() RETURNS void LANGUAGE sql BEGIN ATOMIC SELECT pg_catalog.pg_notify('a', 'b'); END;
  CREATE FUNCTION peek() RETURNS text LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN RETURN pg_read_file('PG_VERSION'); END $$;
  CREATE FUNCTION secret_total() RETURNS numeric LANGUAGE sql SECURITY DEFINER AS 'SELECT sum(price) FROM stock';
  CREATE FUNCTION anything() RETURNS int LANGUAGE unsafe IMMUTABLE AS $$ BEGIN RETURN 1; END $$;
  CREATE FUNCTION initcap(thing) RETURNS text LANGUAGE unsafe AS $$ BEGIN RETURN 'x'; END $$;
  CREATE FUNCTION reach(thing) RETURNS text LANGUAGE unsafe AS $$ BEGIN RETURN 'x'; END $$;
  CREATE FUNCTION reach(stock) RETURNS text LANGUAGE unsafe AS $$ BEGIN RETURN 'x'; END $$;
  CREATE FUNCTION file_of(text) RETURNS text LANGUAGE internal STRICT AS 'pg_read_file_all';
  CREATE FUNCTION reach(int, int) RETURNS int LANGUAGE unsafe AS $$ BEGIN RETURN 1; END $$;
  CREATE OPERATOR ### (FUNCTION = reach, LEFTARG = int, RIGHTARG = int);
  CREATE FUNCTION reach_at_least(thing, thing) RETURNS bool LANGUAGE unsafe AS $$ BEGIN RETURN true; END $$;
  CREATE OPERATOR >= (FUNCTION = reach_at_least, LEFTARG = thing, RIGHTARG = thing);
  CREATE OPERATOR <+> (FUNCTION = int4pl, LEFTARG = int, RIGHTARG = int);
  CREATE FUNCTION to_thing(int) RETURNS thing LANGUAGE unsafe AS $$ BEGIN RETURN ROW($1); END $$;
  CREATE CAST (int AS thing) WITH FUNCTION to_thing(int);
  CREATE FUNCTION is_fine(text) RETURNS bool LANGUAGE unsafe AS $$ BEGIN RETURN true; END $$;
  CREATE DOMAIN checked AS text CHECK (is_fine(VALUE));
  CREATE DOMAIN checked_again AS checked; CREATE TYPE holder AS (a int, b checked_again); CREATE TABLE holding (a holder);
  CREATE TYPE checked_span AS RANGE (subtype = checked); CREATE DOMAIN operated AS int CHECK (VALUE ### 1 > 0);
  CREATE AGGREGATE reach_all (int) (SFUNC = reach, STYPE = int, INITCOND = '0');
  CREATE AGGREGATE add_all (int) (SFUNC = int4pl, STYPE = int, INITCOND = '0');
  CREATE VIEW cheap AS SELECT id, price_of(id) AS price FROM stock WHERE price < 3;
  CREATE VIEW telling AS SELECT pg_catalog.pg_notify('a', 'b') IS NULL AS told;
  CREATE VIEW behind AS SELECT 1 AS one FROM telling;
  CREATE VIEW operating AS SELECT 1 ### 2 AS one;
  CREATE VIEW remote AS SELECT * FROM dblink('host=nowhere', 'SELECT 1') AS d (a int);
  CREATE SCHEMA other; CREATE FUNCTION other.nextval(int) RETURNS int LANGUAGE sql AS 'SELECT $1'; GRANT USAGE ON SCHEMA other TO mcp_reader;
  CREATE FUNCTION other.price_of(int) RETURNS numeric LANGUAGE unsafe AS $$ BEGIN RETURN 1; END $$;
  GRANT SELECT ON ALL TABLES IN SCHEMA public TO mcp_reader;`;
