/** The words that every part of the gateway shares: the revisions of the protocol, and JSON objects. */

/** The revision without sessions. */
export const MODERN_VERSION = '2026-07-28';
/** The revisions that begin with `initialize`, newest first. */
export const LEGACY_VERSIONS = ['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05'] as const;

/** Which family of revisions a message belongs to; answers differ in form. */
export type Era = 'modern' | 'legacy';

/** A JSON object. */
export type JsonObject = Record<string, unknown>;

/** Whether the gateway speaks this `initialize` revision. */
export function isLegacyVersion(version: string): boolean {
  return (LEGACY_VERSIONS as readonly string[]).includes(version);
}

/** Whether a parsed JSON value is an object. */
export function isObject(value: unknown): value is JsonObject {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}
