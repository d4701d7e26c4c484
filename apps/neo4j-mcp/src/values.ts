/**
 * Driver values as cells of the one result form, with the name of their Cypher type. Owns what "exact" means for
 * Neo4j: a JSON number only when it is that number, otherwise Neo4j's own text. Telling the driver's classes apart is
 * left to `database.ts`, which passes a {@link KindOf}.
 */
import type { Cell } from '@database-mcp/mcp-kit';
import {
  toDateText,
  toDurationText,
  toTimeText,
  toZoneText,
  type DateParts,
  type DurationParts,
  type TimeParts,
  type ZoneParts,
} from './temporal-text.ts';

/** What a driver object is. */
export type ValueKind =
  | 'node'
  | 'relationship'
  | 'path'
  | 'point'
  | 'date'
  | 'time'
  | 'local-time'
  | 'date-time'
  | 'local-date-time'
  | 'duration'
  | 'vector'
  | 'text'
  | 'map';

/** Tells the driver's classes apart; `text` is for those whose `toString()` is exact. */
export type KindOf = (value: object) => ValueKind;

/** A cell and the name of its Cypher type. */
export interface TypedCell {
  cell: Cell;
  type: string;
}

interface GraphNode {
  elementId: string;
  labels: string[];
  properties: Record<string, unknown>;
}

interface GraphRelationship {
  elementId: string;
  type: string;
  startNodeElementId: string;
  endNodeElementId: string;
  properties: Record<string, unknown>;
}

interface GraphPath {
  start: GraphNode;
  segments: { relationship: GraphRelationship; end: GraphNode }[];
}

interface GraphPoint {
  srid: bigint | number;
  x: number;
  y: number;
  z?: number;
}

interface GraphVector {
  asTypedArray(): Iterable<number | bigint>;
}

/** The type of a column in which only nulls were seen. */
export const NULL_TYPE = 'NULL';
/** The type of an empty list's elements, as `valueType([])` says it. */
const NOTHING = 'NOTHING';
const ANY = 'ANY';

/** Converts one value. Throws when the driver itself could not read it. */
export function toTypedCell(value: unknown, kindOf: KindOf): TypedCell {
  if (value === null || value === undefined) return { cell: null, type: NULL_TYPE };
  if (typeof value === 'string') return { cell: value, type: 'STRING' };
  if (typeof value === 'boolean') return { cell: value, type: 'BOOLEAN' };
  if (typeof value === 'bigint') return { cell: toIntegerCell(value), type: 'INTEGER' };
  if (typeof value === 'number') return { cell: toFloatCell(value), type: 'FLOAT' };
  if (Array.isArray(value)) return toListCell(value, kindOf);
  if (value instanceof Int8Array || value instanceof Uint8Array) {
    return { cell: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex'), type: 'BYTES' };
  }
  return toObjectCell(value as object, kindOf);
}

/** The type of a column that holds both types: nulls and empty lists fit everywhere, otherwise unlike types are `ANY`. */
export function unifyTypes(first: string, second: string): string {
  if (first === second || second === NULL_TYPE || second === NOTHING) return first;
  if (first === NULL_TYPE || first === NOTHING) return second;
  const [a, b] = [elementType(first), elementType(second)];
  return a !== undefined && b !== undefined ? `LIST<${unifyTypes(a, b)}>` : ANY;
}

function elementType(type: string): string | undefined {
  return /^LIST<(.*)>$/.exec(type)?.[1];
}

function toIntegerCell(value: bigint): Cell {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value.toString();
}

/** JSON has no NaN, no infinities, and its `-0` is read as 0. */
function toFloatCell(value: number): Cell {
  if (Object.is(value, -0)) return '-0.0';
  return Number.isFinite(value) ? value : String(value);
}

function toListCell(values: unknown[], kindOf: KindOf): TypedCell {
  let type = NOTHING;
  const cell = values.map((value) => {
    const element = toTypedCell(value, kindOf);
    type = unifyTypes(type, element.type);
    return element.cell;
  });
  return { cell, type: `LIST<${type}>` };
}

function toObjectCell(value: object, kindOf: KindOf): TypedCell {
  switch (kindOf(value)) {
    case 'node':
      return { cell: toNodeCell(value as GraphNode, kindOf), type: 'NODE' };
    case 'relationship':
      return { cell: toRelationshipCell(value as GraphRelationship, kindOf), type: 'RELATIONSHIP' };
    case 'path':
      return { cell: toPathCell(value as GraphPath, kindOf), type: 'PATH' };
    case 'point':
      return { cell: toPointCell(value as GraphPoint), type: 'POINT' };
    case 'date':
      return { cell: toDateText(value as DateParts), type: 'DATE' };
    case 'time':
      return { cell: toTimeText(value as TimeParts) + toZoneText(value as ZoneParts), type: 'ZONED TIME' };
    case 'local-time':
      return { cell: toTimeText(value as TimeParts), type: 'LOCAL TIME' };
    case 'date-time':
      return { cell: toDateTimeText(value) + toZoneText(value as ZoneParts), type: 'ZONED DATETIME' };
    case 'local-date-time':
      return { cell: toDateTimeText(value), type: 'LOCAL DATETIME' };
    case 'duration':
      return { cell: toDurationText(value as DurationParts), type: 'DURATION' };
    case 'vector':
      return { cell: toListCell([...(value as GraphVector).asTypedArray()], kindOf).cell, type: 'VECTOR' };
    case 'text':
      return { cell: String(value), type: ANY };
    case 'map':
      return { cell: toMapCell(value as Record<string, unknown>, kindOf), type: 'MAP' };
  }
}

function toDateTimeText(value: object): string {
  return `${toDateText(value as DateParts)}T${toTimeText(value as TimeParts)}`;
}

function toNodeCell({ elementId, labels, properties }: GraphNode, kindOf: KindOf): Cell {
  return { elementId, labels: [...labels], properties: toMapCell(properties, kindOf) };
}

function toRelationshipCell(relationship: GraphRelationship, kindOf: KindOf): Cell {
  const { elementId, type, startNodeElementId, endNodeElementId, properties } = relationship;
  return { elementId, type, startNodeElementId, endNodeElementId, properties: toMapCell(properties, kindOf) };
}

function toPathCell({ start, segments }: GraphPath, kindOf: KindOf): Cell {
  return {
    nodes: [start, ...segments.map(({ end }) => end)].map((node) => toNodeCell(node, kindOf)),
    relationships: segments.map(({ relationship }) => toRelationshipCell(relationship, kindOf)),
  };
}

function toPointCell({ srid, x, y, z }: GraphPoint): Cell {
  const flat = { srid: Number(srid), x: toFloatCell(x), y: toFloatCell(y) };
  return z === undefined || z === null ? flat : { ...flat, z: toFloatCell(z) };
}

/** `Object.fromEntries` keeps a key named `__proto__` as a key. */
function toMapCell(map: Record<string, unknown>, kindOf: KindOf): { [key: string]: Cell } {
  return Object.fromEntries(Object.entries(map).map(([key, value]) => [key, toTypedCell(value, kindOf).cell]));
}
