/** Positions on the globe and the three areas that a filter can name. */
import { ApiError } from './api-error.ts';
import { field, isObject, printJson, toDouble } from './json.ts';
import type { Json, JsonObject } from './json.ts';

/** A position in degrees. */
export interface GeoPoint {
  readonly lon: number;
  readonly lat: number;
}

/** Whether a position lies in an area. */
export type GeoArea = (point: GeoPoint) => boolean;

// The mean earth radius in metres that the real server's geometry library uses.
const EARTH_RADIUS_M = 6_371_008.8;

/** The position that a payload value holds, or undefined when it is none. */
export function toGeoPoint(value: Json | undefined): GeoPoint | undefined {
  if (!isObject(value)) return undefined;
  const lon = toDouble(field(value, 'lon'));
  const lat = toDouble(field(value, 'lat'));
  if (lon === undefined || lat === undefined || Math.abs(lon) > 180 || Math.abs(lat) > 90) return undefined;
  return { lon, lat };
}

function required(object: JsonObject, key: string): Json {
  const value = field(object, key);
  if (value === undefined) throw ApiError.format(`Missing field ${key}`);
  return value;
}

function readObject(value: Json): JsonObject {
  if (!isObject(value)) throw ApiError.format('invalid type: expected a map');
  return value;
}

function readNumber(value: Json): number {
  const number = toDouble(value);
  if (number === undefined) throw ApiError.format(`invalid type: ${printJson(value)}, expected f64`);
  return number;
}

function readGeoPoint(value: Json): GeoPoint {
  const object = readObject(value);
  const lon = readNumber(required(object, 'lon'));
  const lat = readNumber(required(object, 'lat'));
  const point = toGeoPoint(object);
  if (point !== undefined) return point;
  throw ApiError.format(
    `Wrong format of GeoPoint payload: expected \`lat\` = ${lat} within [-90;90] and \`lon\` = ${lon} within [-180;180]`,
  );
}

/** Reads a `geo_bounding_box`; one whose left side is east of its right side crosses the date line. */
export function readBoundingBox(value: Json): GeoArea {
  const object = readObject(value);
  const { lon: west, lat: north } = readGeoPoint(required(object, 'top_left'));
  const { lon: east, lat: south } = readGeoPoint(required(object, 'bottom_right'));
  return ({ lon, lat }) => {
    const isBetween = west > east ? lon > west || lon < east : lon > west && lon < east;
    return isBetween && lat > south && lat < north;
  };
}

/** Great-circle distance in metres. */
function distanceMetres(a: GeoPoint, b: GeoPoint): number {
  const radians = Math.PI / 180;
  const halfLat = Math.sin(((b.lat - a.lat) * radians) / 2);
  const halfLon = Math.sin(((b.lon - a.lon) * radians) / 2);
  const chord = halfLat ** 2 + Math.cos(a.lat * radians) * Math.cos(b.lat * radians) * halfLon ** 2;
  return 2 * EARTH_RADIUS_M * Math.asin(Math.min(1, Math.sqrt(chord)));
}

/** Reads a `geo_radius`. */
export function readRadius(value: Json): GeoArea {
  const object = readObject(value);
  const center = readGeoPoint(required(object, 'center'));
  const radius = readNumber(required(object, 'radius'));
  return (point) => distanceMetres(center, point) < radius;
}

function readRing(value: Json): GeoPoint[] {
  const list = required(readObject(value), 'points');
  if (!Array.isArray(list)) throw ApiError.format('invalid type: expected a sequence');
  const points = list.map(readGeoPoint);
  const [first, last] = [points[0], points.at(-1)];
  if (points.length < 4) {
    throw ApiError.format(`Validation failed: polygon invalid, the size must be at least 4, got ${points.length}`);
  }
  if (first?.lon !== last?.lon || first?.lat !== last?.lat) {
    throw ApiError.format(
      'Validation failed: polygon invalid, the first and the last points should be the same to form a closed line',
    );
  }
  return points;
}

function isInRing(point: GeoPoint, ring: readonly GeoPoint[]): boolean {
  let isInside = false;
  for (let i = 1; i < ring.length; i++) {
    const [a, b] = [ring[i - 1], ring[i]];
    if (a === undefined || b === undefined || a.lat > point.lat === b.lat > point.lat) continue;
    const crossing = a.lon + ((point.lat - a.lat) / (b.lat - a.lat)) * (b.lon - a.lon);
    if (point.lon < crossing) isInside = !isInside;
  }
  return isInside;
}

/** Reads a `geo_polygon` with its holes. */
export function readPolygon(value: Json): GeoArea {
  const object = readObject(value);
  const exterior = readRing(required(object, 'exterior'));
  const holes = field(object, 'interiors') ?? [];
  if (!Array.isArray(holes)) throw ApiError.format('invalid type: expected a sequence');
  const interiors = holes.map(readRing);
  return (point) => isInRing(point, exterior) && !interiors.some((ring) => isInRing(point, ring));
}
