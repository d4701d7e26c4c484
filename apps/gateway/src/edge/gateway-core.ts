/** What serving a message needs of the rest of the gateway. */
import type { Logger } from '@database-mcp/telemetry';
import type { Catalogue } from '../catalogue/catalogue.ts';
import type { Observer } from '../observe/observer.ts';
import type { Upstream } from '../upstream/upstream.ts';
import type { Answers } from './answers.ts';
import type { Subscriptions } from './subscriptions.ts';

/** What serving needs. */
export interface GatewayCore {
  catalogue: Catalogue;
  answers: Answers;
  upstreams: ReadonlyMap<string, Upstream>;
  subscriptions: Subscriptions;
  observer: Observer | undefined;
  logger: Logger;
}
