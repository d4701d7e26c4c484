import type { ResultLimits } from '@database-mcp/mcp-kit';
import { z } from 'zod';

const DEFAULT_LIMIT = 100;

/** The argument `limit` of every tool. */
export function limitArgument({ maxRows }: ResultLimits) {
  return z.int().min(1).max(maxRows).default(Math.min(DEFAULT_LIMIT, maxRows)).describe('Most rows to return');
}
