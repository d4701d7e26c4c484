import type { ResultLimits, TableResult } from '@database-mcp/mcp-kit';
import { z } from 'zod';

const DEFAULT_LIMIT = 100;

/** The argument `limit` of every tool. */
export function limitArgument({ maxRows }: ResultLimits) {
  return z.int().min(1).max(maxRows).default(Math.min(DEFAULT_LIMIT, maxRows)).describe('Most rows to return');
}

/** The answer with a sentence on how to get the rows that it leaves out, if it leaves any out. */
export function tellHowToGoOn(result: TableResult, how: string): TableResult {
  return result.truncated ? { ...result, notices: [...(result.notices ?? []), how] } : result;
}
