/** The server process: Neo4j over MCP, by Streamable HTTP or standard input and output. */
import { checkReadiness, runServer } from '@database-mcp/mcp-kit';
import manifest from '../package.json' with { type: 'json' };
import { describeConfig, loadConfig } from './config.ts';
import { createDatabase } from './database.ts';
import { createTools } from './tools/index.ts';

const INSTRUCTIONS =
  'Reads one Neo4j graph database. Begin with CALL db.schema.visualization() or CALL db.labels(), then list_nodes to see ' +
  'the properties of a label.';

await runServer(process, {
  name: 'neo4j-mcp',
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
