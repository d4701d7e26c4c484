/**
 * Carries a changed configuration into the running gateway: reads it again, keeps the old one when the new one is wrong
 * (saying why, once), has the upstreams replaced, and says what only a restart can change.
 */
import { isDeepStrictEqual } from 'node:util';
import { ConfigError } from '@database-mcp/config';
import type { Logger } from '@database-mcp/telemetry';
import { CollisionError } from './catalogue/catalogue.ts';
import type { GatewayConfig, UpstreamConfig } from './config.ts';
import type { UpstreamChange } from './upstream/upstream-set.ts';

/** Options of {@link createReloader}. */
export interface ReloadOptions {
  /** What the gateway was started with. */
  config: GatewayConfig;
  /** Reads the configuration as the start did. */
  load: () => GatewayConfig;
  /** Changes the upstreams of the running gateway, or rejects and leaves them. */
  setUpstreams: (configs: readonly UpstreamConfig[]) => Promise<UpstreamChange>;
  logger: Logger;
}

/** Reloads the configuration. */
export interface Reloader {
  /** Reads the configuration again. `asked`: the outcome is told even if nothing is different. Never rejects. */
  reload(asked?: boolean): Promise<void>;
}

const KEPT = 'The changed configuration cannot be used, and the gateway keeps the one it has';
const NEED_RESTART = 'These settings have changed in the configuration but need a restart of the gateway';

interface Notice {
  level: 'warn' | 'error';
  text: string;
  /** A fault of our own, whose stack belongs into the log. */
  error?: unknown;
}

/** Creates the reloader of a running gateway; reloads go one after the other. */
export function createReloader({ config, load, setUpstreams, logger }: ReloadOptions): Reloader {
  let upstreams = config.upstreams;
  /** What the last reload told, so that a file that stays wrong is not told at each event in its folder. */
  let told = new Set<string>();
  let running: Promise<void> = Promise.resolve();
  let waiting: { done: Promise<void>; asked: boolean } | undefined;

  /** Reads and applies; gives what there is to tell. */
  const apply = async (): Promise<Notice[]> => {
    const notices: Notice[] = [];
    try {
      const next = load();
      const restart = findRestartKeys(config, next);
      if (restart.length > 0) notices.push({ level: 'warn', text: `${NEED_RESTART}: ${restart.join(', ')}` });
      if (isDeepStrictEqual(next.upstreams, upstreams)) return notices;
      const change = await setUpstreams(next.upstreams);
      upstreams = next.upstreams;
      logger.info({ ...change }, 'the configuration was read again, and its upstreams are in use');
    } catch (error) {
      const isExpected = error instanceof ConfigError || error instanceof CollisionError;
      const text = `${KEPT}. ${error instanceof Error ? error.message : String(error)}`;
      notices.push({ level: 'error', text, ...(isExpected ? {} : { error }) });
    }
    return notices;
  };
  const run = async (asked: boolean): Promise<void> => {
    const before = upstreams;
    const notices = await apply();
    for (const { level, text, error } of notices) {
      if (asked || !told.has(text)) logger[level](error === undefined ? {} : { err: error }, text);
    }
    told = new Set(notices.map(({ text }) => text));
    if (asked && notices.length === 0 && upstreams === before) {
      logger.info('the configuration was read again; nothing is different');
    }
  };
  return {
    reload: (asked = false) => {
      if (waiting) {
        waiting.asked ||= asked;
        return waiting.done;
      }
      const next = { asked, done: Promise.resolve() };
      next.done = running = running.then(() => {
        waiting = undefined;
        return run(next.asked);
      });
      waiting = next;
      return next.done;
    },
  };
}

/** Settings outside of `upstreams` are read at the start only. */
function findRestartKeys(started: GatewayConfig, next: GatewayConfig): string[] {
  const was: Record<string, unknown> = { ...started };
  const is: Record<string, unknown> = { ...next };
  const keys = new Set([...Object.keys(was), ...Object.keys(is)]);
  keys.delete('upstreams');
  // Of the environment, which does not change, but for a key of the file that is told by its own name.
  keys.delete('telemetry');
  return [...keys].filter((key) => !isDeepStrictEqual(was[key], is[key]));
}
