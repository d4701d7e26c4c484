/** The server process: Qdrant over MCP, by Streamable HTTP or standard input and output. */
import { checkReadiness, runServer } from '@database-mcp/mcp-kit';
import manifest from '../package.json' with { type: 'json' };
import { describeConfig, loadConfig } from './config.ts';
import { createDatabase } from './database.ts';
import { createTools } from './tools/index.ts';

const INSTRUCTIONS =
  'Reads one Qdrant vector database. Begin with list_collections, then collection_info for vector size and payload keys.';

await runServer(process, {
  name: 'qdrant-mcp',
  version: manifest.version,
  loadConfig,
  describeConfig,
  open({ config, telemetry }) {
    const database = createDatabase({ ...config, telemetry });
    return {
      instructions: INSTRUCTIONS,
      tools: createTools(database, config),
      ready: () => checkReadiness(database),
      describeRole: (signal) => database.describeRole(signal),
      close: () => database.close(),
    };
  },
});
