/**
 * The vector and the point id of a country in the Qdrant collection `countries`.
 *
 * With latitude and longitude in degrees and the area in km² the vector is
 *
 *     [ cos(latitude) * cos(longitude),
 *       cos(latitude) * sin(longitude),
 *       sin(latitude),
 *       log10(area) / 10 ]
 *
 * The first three numbers are the place on a globe of radius 1 (x towards 0°N 0°E, y towards 0°N 90°E, z towards the
 * North Pole). The distance is Euclid, so that a search finds countries that are near on the globe and of similar size:
 * ten times the area counts 0.1, as much as about 640 km on the ground.
 */

/** The formula in one line, stored with the collection so that a reader can build a query vector. */
export const COUNTRY_VECTOR_FORMULA =
  '[cos(lat)*cos(lon), cos(lat)*sin(lon), sin(lat), log10(area_km2)/10], lat and lon in degrees; ' +
  'an unknown area counts as 100000 km2';

/** How many numbers a country vector has. */
export const COUNTRY_VECTOR_SIZE = 4;

// Near the median of the known areas (65,000 km²), and 0.5 after scaling. Svalbard and Jan Mayen alone needs it.
const ASSUMED_AREA_KM2 = 100_000;

/** Returns the vector of a place (degrees) and an area (km², null when it is not known). */
export function countryVector(latitude: number, longitude: number, areaKm2: number | null): number[] {
  const lat = (latitude * Math.PI) / 180;
  const lon = (longitude * Math.PI) / 180;
  return [
    Math.cos(lat) * Math.cos(lon),
    Math.cos(lat) * Math.sin(lon),
    Math.sin(lat),
    Math.log10(areaKm2 ?? ASSUMED_AREA_KM2) / 10,
  ];
}

/**
 * Returns the point id of a country: its ISO 3166-1 number, or, for a country without one, 1000 + 26 * first letter +
 * second letter of its two-letter code (A = 0), which no three-digit number can meet. Kosovo (XK) is 1608.
 */
export function countryPointId(country: { ccn3: string | null; cca2: string }): number {
  if (country.ccn3 !== null) return Number(country.ccn3);
  const [first = 0, second = 0] = [...country.cca2].map((letter) => letter.charCodeAt(0) - 'A'.charCodeAt(0));
  return 1000 + 26 * first + second;
}
