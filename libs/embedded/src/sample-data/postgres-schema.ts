/** The tables of the sample data in Postgres; every table and column has a comment, because models read them. */
import type { SampleDataSource } from './countries.ts';

/** One table: its columns as name, definition and comment, and what concerns more than one column. */
export interface Table {
  name: string;
  comment: string;
  columns: readonly (readonly [name: string, definition: string, comment: string])[];
  constraints: readonly string[];
  indexes: readonly string[];
}

const COUNTRY_REF = 'text NOT NULL REFERENCES public.country';
const LANGUAGE_REF = 'text NOT NULL REFERENCES public.language';
const POSITION = 'smallint NOT NULL CHECK (position > 0)';
const NAME = "text NOT NULL CHECK (btrim(%) <> '')";

/** The tables in the order in which they can be created and filled. */
export const TABLES: readonly Table[] = [
  {
    name: 'country',
    comment: 'Countries, dependent territories and Antarctica, one row each, with the codes of ISO 3166-1',
    columns: [
      ['cca3', "text PRIMARY KEY CHECK (cca3 ~ '^[A-Z]{3}$')", 'Three-letter code of ISO 3166-1; Kosovo is UNK'],
      ['cca2', "text NOT NULL UNIQUE CHECK (cca2 ~ '^[A-Z]{2}$')", 'Two-letter code of ISO 3166-1; Kosovo is XK'],
      ['ccn3', "text UNIQUE CHECK (ccn3 ~ '^[0-9]{3}$')", 'Three-digit code of ISO 3166-1 with leading zeros'],
      ['cioc', "text UNIQUE CHECK (cioc ~ '^[A-Z]{3}$')", 'Code of the International Olympic Committee'],
      ['name', `${NAME} UNIQUE`, 'Common English name'],
      ['official_name', NAME, 'Official English name'],
      ['region', NAME, 'Continent or part of the world: Africa, Americas, Antarctic, Asia, Europe or Oceania'],
      ['subregion', NAME.replace(' NOT NULL', ''), 'Part of the region, such as Western Europe'],
      ['area_km2', 'numeric CHECK (area_km2 > 0)', 'Area in square kilometres'],
      ['latitude', 'numeric NOT NULL CHECK (latitude BETWEEN -90 AND 90)', 'Latitude of the middle, degrees north'],
      ['longitude', 'numeric NOT NULL CHECK (longitude BETWEEN -180 AND 180)', 'Longitude of the middle, degrees east'],
      ['landlocked', 'boolean NOT NULL', 'True when the country has no coast on the sea'],
      ['independent', 'boolean', 'True for a sovereign state, false for a dependent territory, NULL when disputed'],
      ['un_member', 'boolean NOT NULL', 'Member of the United Nations; the source counts Vatican City, an observer'],
      ['un_regional_group', NAME.replace(' NOT NULL', ''), 'Regional group in the United Nations'],
      ['status', NAME, 'How ISO assigns the codes: officially-assigned or user-assigned'],
      ['idd_root', "text CHECK (idd_root ~ '^[+][0-9]+$')", 'First digits of all calling codes; +1 for the USA'],
      ['flag', NAME.replace(' NOT NULL', ''), 'Flag as an emoji'],
    ],
    constraints: [],
    indexes: ['(region, subregion)'],
  },
  {
    name: 'language',
    comment: 'Languages that are official somewhere or in which country names are given',
    columns: [
      ['code', "text PRIMARY KEY CHECK (code ~ '^[a-z]{3}$')", 'Three-letter code of ISO 639-3'],
      ['name', `${NAME}`, 'English name that most countries use'],
    ],
    constraints: [],
    indexes: [],
  },
  {
    name: 'currency',
    comment: 'Currencies in use',
    columns: [
      ['code', "text PRIMARY KEY CHECK (code ~ '^[A-Z]{3}$')", 'Three-letter code of ISO 4217, or one made like it'],
      ['name', NAME, 'English name that most countries use'],
      ['symbol', NAME, 'Symbol that most countries use'],
    ],
    constraints: [],
    indexes: [],
  },
  {
    name: 'border',
    comment:
      'Land borders, one row for each direction (CHE-FRA and FRA-CHE); only LKA-IND has no opposite row in the source. ' +
      'A country without rows here has no land border',
    columns: [
      ['country', COUNTRY_REF, 'Country, cca3'],
      ['neighbour', COUNTRY_REF, 'Country on the other side, cca3'],
    ],
    constraints: ['PRIMARY KEY (country, neighbour)', 'CHECK (country <> neighbour)'],
    indexes: ['(neighbour)'],
  },
  {
    name: 'country_language',
    comment: 'Official languages of countries; no rows when the source names none (Antarctica)',
    columns: [
      ['country', COUNTRY_REF, 'Country, cca3'],
      ['language', LANGUAGE_REF, 'Language code'],
      ['listed_name', NAME, 'Name of the language as given for this country (Moldavian in MDA)'],
    ],
    constraints: ['PRIMARY KEY (country, language)'],
    indexes: ['(language)'],
  },
  {
    name: 'country_currency',
    comment: 'Currencies of countries; no rows when the source names none',
    columns: [
      ['country', COUNTRY_REF, 'Country, cca3'],
      ['currency', 'text NOT NULL REFERENCES public.currency', 'Currency code'],
      ['listed_name', NAME, 'Name of the currency as given for this country'],
      ['listed_symbol', NAME, 'Symbol of the currency as given for this country'],
    ],
    constraints: ['PRIMARY KEY (country, currency)'],
    indexes: ['(currency)'],
  },
  {
    name: 'country_capital',
    comment: 'Capitals; some countries have several, some none',
    columns: [
      ['country', COUNTRY_REF, 'Country, cca3'],
      ['position', POSITION, 'Place in the list of the country, from 1'],
      ['name', NAME, 'English name of the city'],
    ],
    constraints: ['PRIMARY KEY (country, position)', 'UNIQUE (country, name)'],
    indexes: ['(name)'],
  },
  {
    name: 'country_native_name',
    comment: 'Names of a country in its own languages',
    columns: [
      ['country', COUNTRY_REF, 'Country, cca3'],
      ['language', LANGUAGE_REF, 'Language code'],
      ['common', NAME, 'Common name in that language'],
      ['official', NAME, 'Official name in that language'],
    ],
    constraints: ['PRIMARY KEY (country, language)'],
    indexes: ['(language)', '(common)'],
  },
  {
    name: 'country_translation',
    comment: 'Names of every country in 23 languages; English names are in country, own names in country_native_name',
    columns: [
      ['country', COUNTRY_REF, 'Country, cca3'],
      ['language', LANGUAGE_REF, 'Language code, such as deu, fra, jpn, spa, zho'],
      ['common', NAME, 'Common name in that language'],
      ['official', NAME, 'Official name in that language'],
    ],
    constraints: ['PRIMARY KEY (country, language)'],
    indexes: ['(language)', '(common)'],
  },
  {
    name: 'country_demonym',
    comment: 'Words for the people of a country, in English and French',
    columns: [
      ['country', COUNTRY_REF, 'Country, cca3'],
      ['language', LANGUAGE_REF, 'Language code, eng or fra'],
      ['feminine', NAME.replace(' NOT NULL', ''), 'Word for a woman'],
      ['masculine', NAME.replace(' NOT NULL', ''), 'Word for a man'],
    ],
    constraints: ['PRIMARY KEY (country, language)'],
    indexes: ['(language)'],
  },
  {
    name: 'country_calling_code',
    comment:
      'Numbers to dial a country from abroad. Where countries share +1 or +7 there is a row for each area code ' +
      '(+1201 and 379 more for the USA) and the common code is country.idd_root',
    columns: [
      ['country', COUNTRY_REF, 'Country, cca3'],
      ['code', "text NOT NULL CHECK (code ~ '^[+][0-9]+$')", 'Number to dial: root and suffix together'],
      ['root', "text NOT NULL CHECK (root ~ '^[+][0-9]+$')", 'First digits'],
      ['suffix', "text NOT NULL CHECK (suffix ~ '^[0-9]+$')", 'Other digits'],
    ],
    constraints: ['PRIMARY KEY (country, code)', 'CHECK (code = root || suffix)'],
    indexes: ['(code)'],
  },
  {
    name: 'country_tld',
    comment: 'Internet top-level domains',
    columns: [
      ['country', COUNTRY_REF, 'Country, cca3'],
      ['position', POSITION, 'Place in the list of the country, from 1'],
      ['tld', "text NOT NULL CHECK (tld ~ '^[.].')", 'Domain with its dot in front'],
    ],
    constraints: ['PRIMARY KEY (country, position)', 'UNIQUE (country, tld)'],
    indexes: ['(tld)'],
  },
  {
    name: 'country_alt_spelling',
    comment: 'Other spellings and names of countries, to find them by',
    columns: [
      ['country', COUNTRY_REF, 'Country, cca3'],
      ['position', POSITION, 'Place in the list of the country, from 1'],
      ['spelling', NAME, 'Spelling, abbreviation or name'],
    ],
    constraints: ['PRIMARY KEY (country, position)', 'UNIQUE (country, spelling)'],
    indexes: ['(spelling)'],
  },
];

/** The words in the comment of `country` by which a later start knows that the tables are ours. */
export const TABLES_MARKER = 'sample data from world-countries';

/** Writes the statements that create all tables, their indexes and their comments, readable by every role. */
export function toSchemaSql(source: SampleDataSource): string {
  return TABLES.map((table) => toTableSql(table, source)).join('\n');
}

function toTableSql(table: Table, source: SampleDataSource): string {
  const name = `public.${table.name}`;
  const columns = table.columns.map(([column, definition]) => `${column} ${definition.replace('%', column)}`);
  const origin = `${TABLES_MARKER} ${source.version} (${source.license}, ${source.url})`;
  const comment = table.name === 'country' ? `${table.comment}; ${origin}` : table.comment;
  return [
    `CREATE TABLE ${name} (${[...columns, ...table.constraints].join(', ')});`,
    ...table.indexes.map((index) => `CREATE INDEX ON ${name} ${index};`),
    `COMMENT ON TABLE ${name} IS '${comment}';`,
    ...table.columns.map(([column, , text]) => `COMMENT ON COLUMN ${name}.${column} IS '${text}';`),
    // The facts are public: a server that logs in with a read-only role of its own must be able to read them.
    `GRANT SELECT ON ${name} TO PUBLIC;`,
  ].join('\n');
}
