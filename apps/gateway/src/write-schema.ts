/** Writes `gateway.schema.json` from the schema that the gateway enforces: `npm run schema -w @database-mcp/gateway`. */
import { writeFileSync } from 'node:fs';
import { z } from 'zod';
import { gatewayFileSchema } from './config.ts';

/** The JSON schema of `gateway.yaml` as text. */
export function toSchemaText(): string {
  const schema = z.toJSONSchema(gatewayFileSchema, { io: 'input', target: 'draft-2020-12' });
  return `${JSON.stringify({ title: 'Configuration of the database MCP gateway', ...schema }, null, 2)}\n`;
}

if (import.meta.main) writeFileSync(new URL('../gateway.schema.json', import.meta.url), toSchemaText());
