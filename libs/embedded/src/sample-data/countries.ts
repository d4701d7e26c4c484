/**
 * The facts of the sample data, read from the package `world-countries` and put into one clean shape.
 *
 * Owns what a fact is called and what counts as unknown. How the facts become tables, a graph or points is decided in
 * `postgres-rows.ts`, `neo4j-rows.ts` and `qdrant-points.ts`.
 *
 * No fact is changed. What the source writes to say "not known" becomes null: empty strings, empty lists (except
 * `borders`, where an empty list says that there is no land border) and the area -1 of Svalbard and Jan Mayen. Text is
 * repaired in three ways that change no fact: blanks at the ends are cut off (7 names), the dot of right-to-left
 * domains that stands last is put first as in the others, and the language code `per` becomes `fas`, the code by which
 * the source itself calls Persian elsewhere (ISO 639-2 has both).
 *
 * Kept as the source says: Sri Lanka lists India as neighbour while India does not list Sri Lanka; Vatican City counts
 * as a member of the United Nations although it is an observer; Kosovo has the codes XK and UNK, which ISO leaves to
 * the user, and no number; Macau has no capital; Micronesia has no currency.
 */
import { createRequire } from 'node:module';
import type { Country } from 'world-countries';

/** One country as the package describes it; `independent` is null for Kosovo, which the package's types leave out. */
export type SourceCountry = Omit<Country, 'independent'> & { independent: boolean | null };

/** A common and an official name in one language. */
export interface NameInLanguage {
  language: string;
  common: string;
  official: string;
}

/** The word for the people of a country in one language. */
export interface Demonym {
  language: string;
  feminine: string | null;
  masculine: string | null;
}

/** A language as one country lists it. */
export interface ListedLanguage {
  code: string;
  name: string;
}

/** A currency as one country lists it. */
export interface ListedCurrency {
  code: string;
  name: string;
  symbol: string;
}

/** A number under which a country is dialled: `code` is `root` followed by `suffix`. */
export interface CallingCode {
  code: string;
  root: string;
  suffix: string;
}

/** Everything that is known about one country; null and, except for `borders`, an empty list mean not known. */
export interface CountryFacts {
  cca3: string;
  cca2: string;
  ccn3: string | null;
  cioc: string | null;
  name: string;
  officialName: string;
  status: string;
  independent: boolean | null;
  unMember: boolean;
  unRegionalGroup: string | null;
  region: string;
  subregion: string | null;
  landlocked: boolean;
  latitude: number;
  longitude: number;
  areaKm2: number | null;
  flag: string | null;
  iddRoot: string | null;
  callingCodes: CallingCode[];
  capitals: string[];
  topLevelDomains: string[];
  altSpellings: string[];
  borders: string[];
  languages: ListedLanguage[];
  currencies: ListedCurrency[];
  nativeNames: NameInLanguage[];
  translations: NameInLanguage[];
  demonyms: Demonym[];
}

/** Where the sample data comes from; every database carries it beside the data. */
export interface SampleDataSource {
  name: string;
  version: string;
  url: string;
  license: string;
}

const require = createRequire(import.meta.url);

/** Reads the countries of the installed package, in the package's order. */
export function loadSourceCountries(): SourceCountry[] {
  return require('world-countries/countries.json') as SourceCountry[];
}

/** Names the installed package and its licence. */
export function loadSampleDataSource(): SampleDataSource {
  const { version } = require('world-countries/package.json') as { version: string };
  return { name: 'world-countries', version, url: 'https://github.com/mledoze/countries', license: 'ODbL-1.0' };
}

/** Reads the facts of all countries. */
export function loadCountryFacts(): CountryFacts[] {
  return loadSourceCountries().map(toCountryFacts);
}

/** Turns one country of the package into facts. */
export function toCountryFacts(source: SourceCountry): CountryFacts {
  const { root, suffixes } = source.idd;
  return {
    cca3: source.cca3,
    cca2: source.cca2,
    ccn3: toKnown(source.ccn3),
    cioc: toKnown(source.cioc),
    name: source.name.common.trim(),
    officialName: source.name.official.trim(),
    status: source.status,
    independent: source.independent,
    unMember: source.unMember,
    unRegionalGroup: toKnown(source.unRegionalGroup),
    region: source.region,
    subregion: toKnown(source.subregion),
    landlocked: source.landlocked,
    latitude: source.latlng[0],
    longitude: source.latlng[1],
    areaKm2: source.area > 0 ? source.area : null,
    flag: toKnown(source.flag),
    iddRoot: toKnown(root),
    callingCodes: suffixes.map((suffix) => ({ code: root + suffix, root, suffix })),
    capitals: source.capital.map((name) => name.trim()),
    topLevelDomains: source.tld.map(toDotFirst),
    altSpellings: source.altSpellings.map((spelling) => spelling.trim()),
    borders: [...source.borders],
    languages: Object.entries(source.languages).map(([code, name]) => ({ code, name: name.trim() })),
    currencies: Object.entries(source.currencies).map(([code, { name, symbol }]) => ({
      code,
      name: name.trim(),
      symbol: symbol.trim(),
    })),
    nativeNames: toNames(source.name.native),
    translations: toNames(source.translations),
    demonyms: Object.entries(source.demonyms)
      .map(([language, { f, m }]) => ({ language, feminine: toKnown(f), masculine: toKnown(m) }))
      .filter(({ feminine, masculine }) => feminine !== null || masculine !== null),
  };
}

/** Lists every language of the facts once, under the name that most countries use for it. */
export function collectLanguages(countries: readonly CountryFacts[]): ListedLanguage[] {
  return collectListed(countries, (country) => country.languages);
}

/** Lists every currency of the facts once, under the name and symbol that most countries use for it. */
export function collectCurrencies(countries: readonly CountryFacts[]): ListedCurrency[] {
  return collectListed(countries, (country) => country.currencies);
}

/**
 * Countries do not always agree ("Pound sterling" and "British pound", "R" and "Rs"). The form that most of them list
 * stands for the thing itself; of equally frequent ones that of the largest country, which is the one that issues the
 * currency or has most speakers wherever this happens.
 */
function collectListed<T extends { code: string }>(
  countries: readonly CountryFacts[],
  listOf: (country: CountryFacts) => T[],
): T[] {
  const formsByCode = new Map<string, Map<string, { item: T; count: number; largestKm2: number }>>();
  for (const country of countries) {
    for (const item of listOf(country)) {
      const forms = formsByCode.get(item.code) ?? new Map();
      formsByCode.set(item.code, forms);
      const key = JSON.stringify(item);
      const form = forms.get(key) ?? { item, count: 0, largestKm2: 0 };
      forms.set(key, form);
      form.count += 1;
      form.largestKm2 = Math.max(form.largestKm2, country.areaKm2 ?? 0);
    }
  }
  return [...formsByCode.values()]
    .map((forms) => [...forms.values()].toSorted((a, b) => b.count - a.count || b.largestKm2 - a.largestKm2))
    .flatMap(([first]) => (first ? [first.item] : []))
    .toSorted((a, b) => (a.code < b.code ? -1 : 1));
}

function toNames(names: Record<string, { common: string; official: string }>): NameInLanguage[] {
  return Object.entries(names).map(([language, { common, official }]) => ({
    language: language === 'per' ? 'fas' : language,
    common: common.trim(),
    official: official.trim(),
  }));
}

function toKnown(text: string): string | null {
  const trimmed = text.trim();
  return trimmed === '' ? null : trimmed;
}

function toDotFirst(domain: string): string {
  return domain.endsWith('.') ? `.${domain.slice(0, -1)}` : domain;
}
