/**
 * The facts as nodes and relationships.
 *
 *     (:Country)-[:IN_SUBREGION]->(:Subregion)-[:PART_OF]->(:Region)<-[:IN_REGION]-(:Country)
 *     (:Country)-[:BORDERS]->(:Country)                    one for each direction, as in the source
 *     (:Country)-[:HAS_LANGUAGE {listedName}]->(:Language)
 *     (:Country)-[:USES_CURRENCY {listedName, listedSymbol}]->(:Currency)
 *     (:Country)-[:HAS_NATIVE_NAME {common, official}]->(:Language)
 *     (:Country)-[:HAS_TRANSLATION {common, official}]->(:Language)
 *     (:Country)-[:HAS_DEMONYM {feminine, masculine}]->(:Language)
 *
 * A property that is not known is absent, as null is in a graph.
 */
import { collectCurrencies, collectLanguages, type CountryFacts } from './countries.ts';

/** A value that a node or relationship can hold. */
export type Property = string | number | boolean | null | string[];

/** The nodes of one label. */
export interface Nodes extends Key {
  rows: Record<string, Property>[];
}

/** The relationships of one type; `from` and `to` are values of the key properties. */
export interface Relationships {
  type: string;
  from: Key;
  to: Key;
  rows: (Link & { from: string })[];
}

/** How nodes are told apart: their label and a property that is unique under it. */
export interface Key {
  label: string;
  key: string;
}

/** The far end of a relationship and what the relationship says. */
export interface Link {
  to: string;
  properties: Record<string, Property>;
}

const COUNTRY: Key = { label: 'Country', key: 'cca3' };
const REGION = { label: 'Region', key: 'name' };
const SUBREGION = { label: 'Subregion', key: 'name' };
const LANGUAGE = { label: 'Language', key: 'code' };
const CURRENCY = { label: 'Currency', key: 'code' };

/** The labels of the sample data with the property that tells their nodes apart. */
export const NODE_KEYS = [COUNTRY, REGION, SUBREGION, LANGUAGE, CURRENCY];

/** Turns the facts into nodes. */
export function toNodes(countries: readonly CountryFacts[]): Nodes[] {
  return [
    { ...COUNTRY, rows: countries.map(toCountryProperties) },
    { ...REGION, rows: toNamed(countries.map(({ region }) => region)) },
    { ...SUBREGION, rows: toNamed(countries.flatMap(({ subregion }) => subregion ?? [])) },
    { ...LANGUAGE, rows: collectLanguages(countries).map((language) => ({ ...language })) },
    { ...CURRENCY, rows: collectCurrencies(countries).map((currency) => ({ ...currency })) },
  ];
}

/** Turns the facts into relationships. */
export function toRelationships(countries: readonly CountryFacts[]): Relationships[] {
  const fromCountry = (type: string, to: Key, linksOf: (country: CountryFacts) => Link[]): Relationships => ({
    type,
    from: COUNTRY,
    to,
    rows: countries.flatMap((country) => linksOf(country).map((link) => ({ from: country.cca3, ...link }))),
  });
  const regionBySubregion = new Map(
    countries.flatMap(({ subregion, region }) => (subregion === null ? [] : [[subregion, region] as const])),
  );
  return [
    {
      type: 'PART_OF',
      from: SUBREGION,
      to: REGION,
      rows: [...regionBySubregion].map(([from, to]) => ({ from, to, properties: {} })),
    },
    fromCountry('IN_REGION', REGION, ({ region }) => [toLink(region)]),
    fromCountry('IN_SUBREGION', SUBREGION, ({ subregion }) => (subregion === null ? [] : [toLink(subregion)])),
    fromCountry('BORDERS', COUNTRY, ({ borders }) => borders.map((neighbour) => toLink(neighbour))),
    fromCountry('HAS_LANGUAGE', LANGUAGE, ({ languages }) =>
      languages.map(({ code, name }) => toLink(code, { listedName: name })),
    ),
    fromCountry('USES_CURRENCY', CURRENCY, ({ currencies }) =>
      currencies.map(({ code, name, symbol }) => toLink(code, { listedName: name, listedSymbol: symbol })),
    ),
    fromCountry('HAS_NATIVE_NAME', LANGUAGE, ({ nativeNames }) =>
      nativeNames.map(({ language, common, official }) => toLink(language, { common, official })),
    ),
    fromCountry('HAS_TRANSLATION', LANGUAGE, ({ translations }) =>
      translations.map(({ language, common, official }) => toLink(language, { common, official })),
    ),
    fromCountry('HAS_DEMONYM', LANGUAGE, ({ demonyms }) =>
      demonyms.map(({ language, feminine, masculine }) => toLink(language, { feminine, masculine })),
    ),
  ];
}

function toLink(to: string, properties: Record<string, Property> = {}): Link {
  return { to, properties };
}

function toNamed(names: string[]): { name: string }[] {
  return [...new Set(names)].map((name) => ({ name }));
}

function toCountryProperties(country: CountryFacts): Record<string, Property> {
  return {
    cca3: country.cca3,
    cca2: country.cca2,
    ccn3: country.ccn3,
    cioc: country.cioc,
    name: country.name,
    officialName: country.officialName,
    status: country.status,
    independent: country.independent,
    unMember: country.unMember,
    unRegionalGroup: country.unRegionalGroup,
    landlocked: country.landlocked,
    latitude: country.latitude,
    longitude: country.longitude,
    areaKm2: country.areaKm2,
    flag: country.flag,
    iddRoot: country.iddRoot,
    callingCodes: toKnownList(country.callingCodes.map(({ code }) => code)),
    capitals: toKnownList(country.capitals),
    topLevelDomains: toKnownList(country.topLevelDomains),
    altSpellings: toKnownList(country.altSpellings),
  };
}

function toKnownList(values: string[]): string[] | null {
  return values.length === 0 ? null : values;
}
