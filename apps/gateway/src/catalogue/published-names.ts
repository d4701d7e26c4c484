/** Under which name a tool of an upstream is published. Pure and deterministic, so that all replicas agree. */
import { createHash } from 'node:crypto';

/** The limit of the common model APIs (and of the conformance suite), tighter than MCP's own 128. */
const MAX_NAME_CHARS = 64;
const VALID = /^[A-Za-z0-9_-]+$/;
const INVALID_CHARACTER = /[^A-Za-z0-9_-]/g;
/** 40 bits: two of 1,000 over-long names meet with a chance of one in a million. */
const HASH_CHARS = 10;

/** A name for the table; `altered` says that it is more than prefix and name, which the operator should know. */
export interface PublishedName {
  name: string;
  altered?: 'too long' | 'characters';
}

/** A name that begins with the prefix stays as it is; any other gets it. What does not fit gets a hashed tail. */
export function toPublishedName(prefix: string, toolName: string): PublishedName {
  const name = toolName.startsWith(prefix) ? toolName : `${prefix}${toolName}`;
  if (!VALID.test(name)) return { name: withHash(name), altered: 'characters' };
  if (name.length > MAX_NAME_CHARS) return { name: withHash(name), altered: 'too long' };
  return { name };
}

function withHash(name: string): string {
  const hash = createHash('sha256').update(name).digest('hex').slice(0, HASH_CHARS);
  const kept = name.replaceAll(INVALID_CHARACTER, '_').slice(0, MAX_NAME_CHARS - HASH_CHARS - 1);
  return `${kept}_${hash}`;
}
