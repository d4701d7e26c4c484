/** What `npm start` prints when all is up: what runs where, how to connect a client, one command to try. */

/** One line of the table. */
export interface BannerRow {
  name: string;
  url: string;
  description: string;
}

/** The whole text. `missing` holds what did not start and why. */
export function createBanner(
  rows: readonly BannerRow[],
  gatewayUrl: string,
  missing: readonly { kind: string; reason: string }[],
): string {
  const nameWidth = Math.max(...rows.map((row) => row.name.length));
  const urlWidth = Math.max(...rows.map((row) => row.url.length));
  const table = rows.map((row) => `  ${row.name.padEnd(nameWidth)}  ${row.url.padEnd(urlWidth)}  ${row.description}`);
  const absent = missing.map(({ kind, reason }) => `\n  ${kind} is not running: ${reason}`);
  return `
What runs where
${table.join('\n')}${absent.join('')}

Connect a client
  Claude Code      claude mcp add --transport http databases ${gatewayUrl}
  Claude Desktop   claude_desktop_config.json:
                   ${JSON.stringify({ mcpServers: { databases: { command: 'npx', args: ['-y', 'mcp-remote', gatewayUrl] } } })}
  Cursor           .cursor/mcp.json:
                   ${JSON.stringify({ mcpServers: { databases: { url: gatewayUrl } } })}
  VS Code          .vscode/mcp.json:
                   ${JSON.stringify({ servers: { databases: { type: 'http', url: gatewayUrl } } })}
  n8n              MCP Client Tool: Server Transport HTTP Streamable, MCP Endpoint URL ${gatewayUrl}

Try it
  curl -s ${gatewayUrl} -H 'content-type: application/json' -H 'accept: application/json, text/event-stream' \\
    -d '${JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'list_services', arguments: {} } })}'

Ctrl-C ends everything.
`;
}
