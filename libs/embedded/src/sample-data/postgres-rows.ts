/** The facts as rows of the tables in `postgres-schema.ts`, keyed by table; the tables stand in insert order. */
import { collectCurrencies, collectLanguages, type CountryFacts } from './countries.ts';

/** One row: column name to value. */
export type Row = Record<string, string | number | boolean | null>;

/** Turns the facts into the rows of every table. */
export function toPostgresRows(countries: readonly CountryFacts[]): Record<string, Row[]> {
  const languages = collectLanguages(countries);
  const currencies = collectCurrencies(countries);
  const rowsOf = (map: (country: CountryFacts) => Row[]): Row[] => countries.flatMap(map);
  return {
    country: countries.map(toCountryRow),
    language: languages.map((language) => ({ ...language })),
    currency: currencies.map((currency) => ({ ...currency })),
    border: rowsOf(({ cca3, borders }) => borders.map((neighbour) => ({ country: cca3, neighbour }))),
    country_language: rowsOf(({ cca3, languages }) =>
      languages.map(({ code, name }) => ({ country: cca3, language: code, listed_name: name })),
    ),
    country_currency: rowsOf(({ cca3, currencies }) =>
      currencies.map(({ code, name, symbol }) => ({
        country: cca3,
        currency: code,
        listed_name: name,
        listed_symbol: symbol,
      })),
    ),
    country_capital: rowsOf(({ cca3, capitals }) =>
      capitals.map((name, index) => ({ country: cca3, position: index + 1, name })),
    ),
    country_native_name: rowsOf(({ cca3, nativeNames }) => nativeNames.map((name) => ({ country: cca3, ...name }))),
    country_translation: rowsOf(({ cca3, translations }) => translations.map((name) => ({ country: cca3, ...name }))),
    country_demonym: rowsOf(({ cca3, demonyms }) => demonyms.map((demonym) => ({ country: cca3, ...demonym }))),
    country_calling_code: rowsOf(({ cca3, callingCodes }) => callingCodes.map((code) => ({ country: cca3, ...code }))),
    country_tld: rowsOf(({ cca3, topLevelDomains }) =>
      topLevelDomains.map((tld, index) => ({ country: cca3, position: index + 1, tld })),
    ),
    country_alt_spelling: rowsOf(({ cca3, altSpellings }) =>
      altSpellings.map((spelling, index) => ({ country: cca3, position: index + 1, spelling })),
    ),
  };
}

function toCountryRow(country: CountryFacts): Row {
  return {
    cca3: country.cca3,
    cca2: country.cca2,
    ccn3: country.ccn3,
    cioc: country.cioc,
    name: country.name,
    official_name: country.officialName,
    region: country.region,
    subregion: country.subregion,
    area_km2: country.areaKm2,
    latitude: country.latitude,
    longitude: country.longitude,
    landlocked: country.landlocked,
    independent: country.independent,
    un_member: country.unMember,
    un_regional_group: country.unRegionalGroup,
    status: country.status,
    idd_root: country.iddRoot,
    flag: country.flag,
  };
}
