/** What an API key may do, as far as it can be seen without trying. Pure. */
import { field, parseExactJson, type Json } from './values.ts';

/** A sentence about the key for the log, without the key. */
export function describeAccess(apiKey: string | undefined): string {
  if (apiKey === undefined) {
    return 'No QDRANT_API_KEY is set. This server only reads, but a Qdrant without keys lets everybody write who reaches it.';
  }
  const access = field(claimsOf(apiKey), 'access');
  if (access === 'r' || (Array.isArray(access) && access.every((grant) => field(grant, 'access') === 'r'))) {
    return 'The API key may only read.';
  }
  if (access !== undefined) return 'The API key may write. This server only reads: a read-only key is enough.';
  return 'Whether the API key may write cannot be seen from it. This server only reads: a read-only key is enough.';
}

/** The claims of a key that is a JSON Web Token, else null. */
function claimsOf(apiKey: string): Json {
  const [, claims, ...rest] = apiKey.split('.');
  if (claims === undefined || rest.length !== 1) return null;
  try {
    return parseExactJson(Buffer.from(claims, 'base64url').toString('utf8'));
  } catch {
    return null;
  }
}
