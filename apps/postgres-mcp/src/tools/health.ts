import { z } from 'zod';
import {
  createRowCollector,
  defineTool,
  READ_ONLY_ANNOTATIONS,
  type ResultLimits,
  type Tool,
} from '@database-mcp/mcp-kit';
import type { Database } from '../database.ts';
import { CHECK_NAMES, readServerFacts, runCheck, type CheckName } from '../health/checks.ts';
import { SEVERITIES, type Finding } from '../health/finding.ts';
import type { Access } from '../role.ts';
import type { StatementGuard } from '../statement-guard.ts';

const COLUMNS = ['check', 'severity', 'finding', 'evidence', 'fix'].map((name) => ({ name, type: 'text' }));

const rank = ({ severity }: Finding): number => SEVERITIES.indexOf(severity);

/** Looks for what is wrong with the database. */
export function createHealthTool(
  database: Database,
  guard: StatementGuard,
  limits: ResultLimits,
  access: Access,
): Tool {
  return defineTool({
    name: 'health',
    description: 'Health of the database: findings by severity, evidence, SQL that mends.',
    input: z.strictObject({
      checks: z.array(z.enum(CHECK_NAMES)).optional(),
    }),
    annotations: READ_ONLY_ANNOTATIONS,
    async run({ checks = [] }, { signal }) {
      const context = { database, guard, access, signal };
      const facts = await readServerFacts(context);
      const found: (Finding & { check: CheckName })[] = [];
      for (const check of new Set(checks.length > 0 ? checks : CHECK_NAMES)) {
        // One after the other: a sick database is not asked everything at once.
        const findings = await runCheck(check, facts, context);
        found.push(...findings.map((finding) => ({ check, ...finding })));
      }
      const collector = createRowCollector(limits);
      for (const { check, severity, finding, evidence, fix } of found.toSorted((a, b) => rank(a) - rank(b))) {
        if (!collector.push([check, severity, finding, evidence ?? null, fix ?? null])) break;
      }
      return collector.finish(COLUMNS);
    },
  });
}
