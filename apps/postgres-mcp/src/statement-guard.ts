/**
 * What every statement of a client passes before it runs: the access policy, then the judgement of what is behind its
 * names by the catalog. Statements whose names are known already cost no question.
 */
import { ToolError } from '@database-mcp/errors';
import { classifyStatement } from './access-policy.ts';
import type { Database } from './database.ts';
import { createFunctionCatalog } from './policy/function-facts.ts';
import { findObjection, type AccessMode } from './policy/function-policy.ts';
import type { Use } from './policy/statement-uses.ts';
import { describeOffset } from './sql-position.ts';
import { classifyWrite, type AllowedWrite } from './write/write-policy.ts';

/** Lets statements pass or says why not. */
export interface StatementGuard {
  /** For a statement that may only read; tells the highest `$n` in it. Rejects with a ToolError. */
  checkReading(sql: string, signal: AbortSignal): Promise<{ parameters: number }>;
  /** For a write that can be rehearsed. */
  checkWriting(sql: string, signal: AbortSignal): Promise<AllowedWrite>;
}

/** Creates the guard of one database. */
export function createStatementGuard(database: Database, now: () => number = Date.now): StatementGuard {
  const catalog = createFunctionCatalog(database, now);

  async function checkNames(sql: string, uses: readonly Use[], mode: AccessMode, signal: AbortSignal): Promise<void> {
    const objection = findObjection(uses, await catalog.find(uses, signal), mode);
    if (!objection) return;
    throw new ToolError({
      code: mode === 'read' ? 'READ_ONLY' : 'INVALID_ARGUMENT',
      message: `${objection.message} Nothing was run.`,
      where: describeOffset(sql, objection.use.offset),
      hint: objection.hint,
    });
  }

  return {
    async checkReading(sql, signal) {
      const verdict = await classifyStatement(sql);
      if (verdict.kind === 'refused') throw new ToolError(verdict);
      await checkNames(sql, verdict.uses, 'read', signal);
      return { parameters: verdict.parameters };
    },
    async checkWriting(sql, signal) {
      const verdict = await classifyWrite(sql);
      if (verdict.kind === 'refused') throw new ToolError(verdict);
      await checkNames(sql, verdict.write.uses, 'write', signal);
      return verdict.write;
    },
  };
}
