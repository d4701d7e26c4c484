/** Wires the gateway together. */
import { createService, type Service } from '@database-mcp/service';
import { NO_TELEMETRY, type Logger, type Telemetry } from '@database-mcp/telemetry';
import { createUpstream } from './bridge/create-upstream.ts';
import { createCatalogue, type Catalogue } from './catalogue/catalogue.ts';
import { createListStore } from './catalogue/list-store.ts';
import type { GatewayConfig, UpstreamConfig } from './config.ts';
import { createAnswers } from './edge/answers.ts';
import { createClassifier } from './edge/classify.ts';
import { createMcpEndpoint } from './edge/mcp-endpoint.ts';
import { createSseEndpoint } from './edge/sse-endpoint.ts';
import { createSubscriptions } from './edge/subscriptions.ts';
import { createHubTools } from './hub-tools.ts';
import { createObserver } from './observe/observer.ts';
import { createUpstreamObserver } from './observe/upstream-observer.ts';
import { createChangeFeed, type ChangeFeed } from './upstream/change-feed.ts';
import { createUpstreamSet, type UpstreamChange } from './upstream/upstream-set.ts';
import type { Upstream } from './upstream/upstream.ts';

/** Name of the gateway in logs and answers. */
export const SERVICE_NAME = 'database-mcp-gateway';
/** Version of the gateway. */
export const SERVICE_VERSION = '0.1.0';

/** What serving needs of the configuration; logs and telemetry are started before it. */
export type ServingConfig = Omit<GatewayConfig, 'telemetry' | 'logLevel'>;

/** A gateway that listens. */
export interface Gateway {
  readonly port: number;
  readonly url: string;
  /** Changes to these upstreams without dropping calls in progress. Rejects, and keeps the old, if names collide. */
  setUpstreams(configs: readonly UpstreamConfig[]): Promise<UpstreamChange>;
  /** Stops accepting, lets calls in progress finish, then ends. */
  close(): Promise<void>;
}

/** Starts the gateway. Rejects when the port is taken or when published tool names collide. */
export async function startGateway(
  config: ServingConfig,
  logger: Logger,
  telemetry: Telemetry = NO_TELEMETRY,
): Promise<Gateway> {
  const observer = createUpstreamObserver(telemetry);
  const upstreams = createUpstreamSet(config.upstreams, (each) =>
    observer.observe(createUpstream(each, SERVICE_VERSION, logger), each),
  );
  const feed = createChangeFeed({
    version: SERVICE_VERSION,
    logger,
    route: (uri) => catalogue.list.uris.route(uri),
    refresh: (upstream) => catalogue.refresh(upstream),
  });
  const catalogue = createCatalogue({
    version: SERVICE_VERSION,
    upstreams: upstreams.members(),
    createHubTools: (listStates) => createHubTools(SERVICE_NAME, SERVICE_VERSION, listStates),
    pageSize: config.pageSize,
    store: config.cacheDirectory === undefined ? undefined : createListStore(config.cacheDirectory, logger),
    observer: feed,
    beginRefresh: observer.beginRefresh,
    logger,
  });
  observer.publish(upstreams.members, catalogue);
  const closeUpstreams = async (): Promise<void> => {
    const kept = catalogue.close();
    feed.close();
    await Promise.all([kept, upstreams.close()]);
  };
  try {
    await catalogue.start();
    const service = await listen(config, logger, telemetry, catalogue, feed, upstreams.byName);
    const close = async (): Promise<void> => {
      await service.close();
      await closeUpstreams();
    };
    const setUpstreams = (configs: readonly UpstreamConfig[]): Promise<UpstreamChange> =>
      upstreams.replace(configs, catalogue.setUpstreams.bind(catalogue));
    return { port: service.port, url: service.url, setUpstreams, close };
  } catch (error) {
    await closeUpstreams();
    throw error;
  }
}

async function listen(
  config: ServingConfig,
  logger: Logger,
  telemetry: Telemetry,
  catalogue: Catalogue,
  feed: ChangeFeed,
  upstreams: ReadonlyMap<string, Upstream>,
): Promise<Service> {
  const serverInfo = { name: SERVICE_NAME, title: 'Database MCP Gateway', version: SERVICE_VERSION };
  const { maxBodyBytes, keepAliveMs } = config;
  const subscriptions = createSubscriptions({ serverInfo, keepAliveMs, served: () => catalogue.capabilities, feed });
  const answers = createAnswers(serverInfo, catalogue);
  const observer = createObserver(telemetry, catalogue, logger);
  const core = { catalogue, answers, upstreams, subscriptions, observer, logger };
  const endpoint = { core, classifier: createClassifier(), maxBodyBytes, keepAliveMs, logger };
  const sse = createSseEndpoint(endpoint);
  const service = await createService({
    name: SERVICE_NAME,
    version: SERVICE_VERSION,
    host: config.host,
    port: config.port,
    allowedHosts: config.allowedHosts,
    allowedOrigins: config.allowedOrigins,
    requestTimeoutMs: config.requestTimeoutMs,
    logger,
    routes: { '/mcp': createMcpEndpoint(endpoint), '/sse': sse.stream, '/messages': sse.messages },
    ready: () => ({
      ready: catalogue.isAttempted(),
      upstreams: Object.fromEntries(catalogue.states().map(({ name, status }) => [name, status])),
    }),
  });
  feed.onUpdate(subscriptions.resourceUpdated);
  catalogue.onChange((kinds) => {
    const lists = new Set([...kinds].map((kind) => (kind === 'resourceTemplates' ? 'resources' : kind)));
    logger.info({ lists: [...lists], tools: catalogue.list.routes.size }, 'what is listed has changed');
    subscriptions.listsChanged(lists);
    sse.listsChanged(lists);
  });
  const endStreams = (): void => {
    subscriptions.drain();
    sse.drain();
  };
  service.draining.addEventListener('abort', endStreams, { once: true });
  return service;
}
