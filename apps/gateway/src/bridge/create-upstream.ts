/** Chooses how an upstream of the configuration is spoken to. */
import type { Logger } from '@database-mcp/telemetry';
import type { UpstreamConfig } from '../config.ts';
import { createHttpUpstream } from '../upstream/http-upstream.ts';
import type { Upstream } from '../upstream/upstream.ts';
import { LegacyUpstream } from './legacy-upstream.ts';
import { createProbingUpstream } from './probing-upstream.ts';
import { createSseCarriers } from './sse-carrier.ts';
import { createStdioCarriers } from './stdio-carrier.ts';
import { createStreamableHttpCarriers } from './streamable-http-carrier.ts';

/** Lists and probes give up after 5 s. */
const HTTP_HANDSHAKE_MS = 4_000;
/** A command may have to download itself at its first start. */
const STDIO_HANDSHAKE_MS = 60_000;

/** Creates the upstream; it connects at the first request. `version` is the gateway's own. */
export function createUpstream(config: UpstreamConfig, version: string, logger: Logger): Upstream {
  const legacy = { config, version, logger, handshakeMs: HTTP_HANDSHAKE_MS };
  if (config.command !== undefined) {
    const createCarriers = () => createStdioCarriers(config, logger);
    return new LegacyUpstream({ ...legacy, createCarriers, handshakeMs: STDIO_HANDSHAKE_MS });
  }
  if (config.transport === 'sse')
    return new LegacyUpstream({ ...legacy, createCarriers: () => createSseCarriers(config) });
  if (config.transport === 'streamable-http' && config.era === 'legacy') {
    return new LegacyUpstream({ ...legacy, createCarriers: () => createStreamableHttpCarriers(config) });
  }
  return createProbingUpstream({ config, version, logger, http: createHttpUpstream(config) });
}
