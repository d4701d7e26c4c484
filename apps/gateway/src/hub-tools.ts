/** The two tools of the gateway itself. */
import type { JsonObject } from './protocol.ts';

/** State of one upstream as `list_services` and `/ready` tell it. */
export interface ServiceState {
  name: string;
  endpoint: string;
  status: 'up' | 'down' | 'degraded';
  tools: readonly string[];
}

/** A tool that the gateway answers itself. */
export interface HubTool {
  name: string;
  /** The tool object as source text, as in `tools/list`. */
  text: string;
  /** The `structuredContent` of a call. */
  run(): JsonObject;
}

const READ_ONLY = { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false };
const NO_ARGUMENTS = { type: 'object', properties: {} };
const TEXT = { type: 'string' };

/** Creates the hub tools over the current state of the upstreams. */
export function createHubTools(service: string, version: string, listStates: () => readonly ServiceState[]): HubTool[] {
  return [
    defineHubTool(
      {
        name: 'health_check',
        title: 'Gateway health',
        description: 'Whether the gateway works, and how many of its database servers can be reached.',
        inputSchema: NO_ARGUMENTS,
        outputSchema: {
          type: 'object',
          properties: { status: TEXT, service: TEXT, version: TEXT, message: TEXT },
          required: ['status', 'service', 'version', 'message'],
        },
        annotations: READ_ONLY,
      },
      () => describeHealth(service, version, listStates()),
    ),
    defineHubTool(
      {
        name: 'list_services',
        title: 'Database servers',
        description: 'The database servers behind this gateway: whether each is up, and the names of its tools.',
        inputSchema: NO_ARGUMENTS,
        outputSchema: {
          type: 'object',
          properties: {
            total_services: { type: 'integer' },
            services: {
              type: 'object',
              additionalProperties: {
                type: 'object',
                properties: {
                  name: TEXT,
                  endpoint: TEXT,
                  status: { type: 'string', enum: ['up', 'down', 'degraded'] },
                  tools: { type: 'array', items: TEXT },
                },
                required: ['name', 'endpoint', 'status', 'tools'],
              },
            },
          },
          required: ['total_services', 'services'],
        },
        annotations: READ_ONLY,
      },
      () => describeServices(listStates()),
    ),
  ];
}

function defineHubTool(definition: { name: string; [member: string]: unknown }, run: () => JsonObject): HubTool {
  return { name: definition.name, text: JSON.stringify(definition), run };
}

function describeHealth(service: string, version: string, states: readonly ServiceState[]): JsonObject {
  const up = states.filter((state) => state.status !== 'down').length;
  const down = states.filter((state) => state.status === 'down').map((state) => state.name);
  const suffix = down.length === 0 ? '' : ` Not reachable: ${down.join(', ')}.`;
  return {
    status: states.every((state) => state.status === 'up') ? 'healthy' : 'degraded',
    service,
    version,
    message: `${up} of ${states.length} database servers can be reached.${suffix}`,
  };
}

function describeServices(states: readonly ServiceState[]): JsonObject {
  const services = Object.fromEntries(
    states.map(({ name, endpoint, status, tools }) => [name, { name, endpoint, status, tools }]),
  );
  return { total_services: states.length, services };
}
