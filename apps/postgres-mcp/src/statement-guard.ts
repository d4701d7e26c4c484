/**
 * What every statement of a client passes before it runs: the access policy, then the judgement of what is behind its
 * names by the catalog. Statements whose names are known already cost no question.
 */
import { ToolError } from '@database-mcp/errors';
import { classifyStatement } from './access-policy.ts';
import type { Database } from './database.ts';
import { createFunctionCatalog } from './policy/function-facts.ts';
import { findObjection } from './policy/function-policy.ts';
import { describeOffset } from './sql-position.ts';

/** Lets statements pass or says why not. */
export interface StatementGuard {
  /** For a statement that may only read; tells the highest `$n` in it. Rejects with a ToolError. */
  checkReading(sql: string, signal: AbortSignal): Promise<{ parameters: number }>;
}

/** Creates the guard of one database. */
export function createStatementGuard(database: Database): StatementGuard {
  const catalog = createFunctionCatalog(database);
  return {
    async checkReading(sql, signal) {
      const verdict = await classifyStatement(sql);
      if (verdict.kind === 'refused') throw new ToolError(verdict);
      const objection = findObjection(verdict.uses, await catalog.find(verdict.uses, signal), 'read');
      if (!objection) return { parameters: verdict.parameters };
      throw new ToolError({
        code: 'READ_ONLY',
        message: `${objection.message} Nothing was run.`,
        where: describeOffset(sql, objection.use.offset),
        hint: objection.hint,
      });
    },
  };
}
