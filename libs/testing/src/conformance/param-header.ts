/** The tool of the conformance fixture whose argument travels in a header too, and the check that both agree. */
import type { IncomingHttpHeaders } from 'node:http';
import { text } from './fixture-content.ts';
import type { ConformanceTool } from './fixture-tool.ts';

const HEADER = 'mcp-param-region';
/** Encoded values are strict Base64: what lenient decoders skip is a mistake. */
const ENCODED = /^=\?base64\?((?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?)\?=$/;

/** The tool. */
export const MIRRORED_TOOL: ConformanceTool = {
  name: 'test_x_mcp_header',
  description: 'One of its arguments is in a header too.',
  inputSchema: {
    type: 'object',
    properties: {
      region: { type: 'string', description: 'Is in the header Mcp-Param-Region too', 'x-mcp-header': 'Region' },
      level: { type: 'integer', description: 'Is in no header' },
    },
  },
  run: (args) => text(`region=${String(args['region'] ?? 'none')}`),
};

/** What is wrong with the header of a call, or undefined. The SDK checks it for its high-level server only. */
export function validateParamHeader(prefix: string, body: unknown, headers: IncomingHttpHeaders): string | undefined {
  const { method, params } = body as {
    method?: unknown;
    params?: { name?: unknown; arguments?: { region?: unknown } };
  };
  if (method !== 'tools/call' || params?.name !== `${prefix}${MIRRORED_TOOL.name}`) return undefined;
  const expected = params.arguments?.region;
  const raw = headers[HEADER];
  const given = typeof raw === 'string' ? decode(raw) : undefined;
  if (typeof raw === 'string' && given === undefined) return 'Mcp-Param-Region is no valid Base64.';
  if ((expected ?? undefined) === given) return undefined;
  return 'Mcp-Param-Region and params.arguments.region differ.';
}

function decode(value: string): string | undefined {
  if (!value.startsWith('=?base64?') || !value.endsWith('?=')) return value;
  const encoded = ENCODED.exec(value)?.[1];
  return encoded === undefined ? undefined : Buffer.from(encoded, 'base64').toString('utf8');
}
