/** The facts as points of the Qdrant collection `countries`; `country-vector.ts` says what the vector means. */
import type { CountryFacts } from './countries.ts';
import { countryPointId, countryVector } from './country-vector.ts';

/** One point as Qdrant takes it. */
export interface CountryPoint {
  id: number;
  vector: number[];
  payload: Record<string, unknown>;
}

/** The payload fields that are indexed, which is also how Qdrant tells a reader what fields there are. */
export const PAYLOAD_INDEXES: Readonly<Record<string, 'keyword' | 'bool' | 'float' | 'geo'>> = {
  cca3: 'keyword',
  cca2: 'keyword',
  ccn3: 'keyword',
  cioc: 'keyword',
  name: 'keyword',
  region: 'keyword',
  subregion: 'keyword',
  un_regional_group: 'keyword',
  capitals: 'keyword',
  languages: 'keyword',
  language_codes: 'keyword',
  currencies: 'keyword',
  currency_codes: 'keyword',
  calling_codes: 'keyword',
  borders: 'keyword',
  landlocked: 'bool',
  independent: 'bool',
  un_member: 'bool',
  area_km2: 'float',
  location: 'geo',
};

/** Turns one country into a point. */
export function toCountryPoint(country: CountryFacts): CountryPoint {
  return {
    id: countryPointId(country),
    vector: countryVector(country.latitude, country.longitude, country.areaKm2),
    payload: toPayload(country),
  };
}

/** Translations are the common names only: a hit must stay short enough to be read. */
function toPayload(country: CountryFacts): Record<string, unknown> {
  return {
    name: country.name,
    official_name: country.officialName,
    cca3: country.cca3,
    cca2: country.cca2,
    ccn3: country.ccn3,
    cioc: country.cioc,
    capitals: toKnownList(country.capitals),
    region: country.region,
    subregion: country.subregion,
    location: { lat: country.latitude, lon: country.longitude },
    area_km2: country.areaKm2,
    landlocked: country.landlocked,
    borders: country.borders,
    independent: country.independent,
    un_member: country.unMember,
    un_regional_group: country.unRegionalGroup,
    status: country.status,
    languages: toKnownList(country.languages.map(({ name }) => name)),
    language_codes: toKnownList(country.languages.map(({ code }) => code)),
    currencies: toKnownList(country.currencies.map(({ name }) => name)),
    currency_codes: toKnownList(country.currencies.map(({ code }) => code)),
    currency_symbols: toKnownList(country.currencies.map(({ symbol }) => symbol)),
    idd_root: country.iddRoot,
    calling_codes: toKnownList(country.callingCodes.map(({ code }) => code)),
    tlds: toKnownList(country.topLevelDomains),
    flag: country.flag,
    demonyms: toMap(country.demonyms, ({ feminine, masculine }) => ({ feminine, masculine })),
    native_names: toMap(country.nativeNames, ({ common, official }) => ({ common, official })),
    translations: toMap(country.translations, ({ common }) => common),
    alt_spellings: toKnownList(country.altSpellings),
  };
}

function toKnownList(values: string[]): string[] | null {
  return values.length === 0 ? null : values;
}

function toMap<T extends { language: string }>(items: T[], valueOf: (item: T) => unknown): object | null {
  if (items.length === 0) return null;
  return Object.fromEntries(items.map((item) => [item.language, valueOf(item)]));
}
