export { startPostgres } from './postgres/start.ts';
export type { EmbeddedPostgres } from './postgres/start.ts';
export type { EmbeddedServer, StartOptions } from './start-options.ts';
