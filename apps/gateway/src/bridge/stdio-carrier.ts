/**
 * A server that the gateway starts itself and speaks to over its standard input and output, one message a line.
 * Restarted at the next need, with growing pauses while it keeps ending early; its standard error goes to the log.
 */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { LOG_FIELD, type Logger } from '@database-mcp/telemetry';
import type { UpstreamConfig } from '../config.ts';
import { unbroken } from '../upstream/event-stream.ts';
import { CarrierError, MAX_MESSAGE_BYTES, type Carrier, type CarrierEvents, type CreateCarrier } from './carrier.ts';
import { logLines } from './log-lines.ts';

/** The pause before the second start in a row, doubled with each further one. */
const FIRST_PAUSE_MS = 1_000;
const MAX_PAUSE_MS = 30_000;
const MAX_QUICK_RESTARTS = 3;
/** A process that lived this long did not fail at its start. */
const STABLE_MS = 10_000;
/** How long a process has for its end, after its input was closed and again after SIGTERM. */
const END_MS = 2_000;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/** What all processes of one upstream share. */
interface Restarts {
  failures: number;
  notBefore: number;
}

/** Connections to the command of this upstream; each starts a process. */
export function createStdioCarriers(config: UpstreamConfig, logger: Logger): CreateCarrier {
  const restarts: Restarts = { failures: 0, notBefore: 0 };
  return (events) => new StdioCarrier(config, logger, restarts, events);
}

class StdioCarrier implements Carrier {
  readonly #config: UpstreamConfig;
  readonly #logger: Logger;
  readonly #restarts: Restarts;
  readonly #events: CarrierEvents;
  #child: ChildProcessWithoutNullStreams | undefined;
  #parts: Buffer[] = [];
  #size = 0;
  #isClosing = false;

  constructor(config: UpstreamConfig, logger: Logger, restarts: Restarts, events: CarrierEvents) {
    this.#config = config;
    this.#logger = logger.child({ [LOG_FIELD.UPSTREAM]: config.name });
    this.#restarts = restarts;
    this.#events = events;
  }

  async open(): Promise<void> {
    const { command = '', args, env, cwd, name } = this.#config;
    const startedAt = performance.now();
    if (startedAt < this.#restarts.notBefore) {
      throw new CarrierError({ kind: 'unreachable' }, 'its command ended early; it is started again after a pause');
    }
    const pause = Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.#restarts.failures);
    this.#restarts.failures++;
    this.#restarts.notBefore = startedAt + pause;
    const child = spawn(command, args, { env, cwd, stdio: 'pipe', windowsHide: true });
    this.#child = child;
    child.stdin.on('error', () => {});
    try {
      await once(child, 'spawn');
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason';
      const text = `upstream ${JSON.stringify(name)}: its command cannot be started (${code}); check command, cwd and PATH in gateway.yaml`;
      throw new CarrierError({ kind: 'unreachable' }, text, { cause: error });
    }
    child.on('error', (error) => this.#logger.warn({ err: error }, 'the process of the upstream had a fault'));
    child.stdout.on('data', (chunk: Buffer) => this.#read(chunk));
    logLines(child.stderr, Object.values(env), (line) => this.#logger.info({ line }, 'standard error of the upstream'));
    child.on('exit', (code, signal) => {
      if (!this.#isClosing) this.#logger.warn({ code, signal }, 'the process of the upstream has ended');
      if (performance.now() - startedAt >= STABLE_MS) Object.assign(this.#restarts, { failures: 0, notBefore: 0 });
      this.#events.closed({ kind: 'cut-off' });
    });
  }

  agreed(): void {
    // It started and speaks MCP: should it end now, it may be started again at once, but not again and again.
    if (this.#restarts.failures <= MAX_QUICK_RESTARTS) this.#restarts.notBefore = 0;
  }

  send(text: Buffer): void {
    if (!this.#child?.stdin.writable) return;
    this.#child.stdin.write(Buffer.concat([unbroken(text), Buffer.of(LINE_FEED)]));
  }

  abandon(): void {}

  async close(): Promise<void> {
    this.#isClosing = true;
    const child = this.#child;
    if (!child || child.pid === undefined || hasEnded(child)) return;
    child.stdin.end();
    if (await endsWithin(child, END_MS)) return;
    child.kill('SIGTERM');
    if (await endsWithin(child, END_MS)) return;
    child.kill('SIGKILL');
    await endsWithin(child, END_MS);
  }

  #read(chunk: Buffer): void {
    let start = 0;
    for (let end = chunk.indexOf(LINE_FEED); end !== -1; end = chunk.indexOf(LINE_FEED, start)) {
      this.#parts.push(chunk.subarray(start, end));
      this.#endLine();
      start = end + 1;
    }
    if (start === chunk.length) return;
    this.#size += chunk.length - start;
    if (this.#size <= MAX_MESSAGE_BYTES) this.#parts.push(chunk.subarray(start));
    else {
      this.#logger.error({ limit: MAX_MESSAGE_BYTES }, 'the upstream sent a line that is too large; it is ended');
      this.#events.closed({ kind: 'too-large', limit: MAX_MESSAGE_BYTES });
      void this.close();
      this.#parts = [];
    }
  }

  #endLine(): void {
    const whole = this.#parts.length === 1 ? (this.#parts[0] ?? Buffer.alloc(0)) : Buffer.concat(this.#parts);
    this.#parts = [];
    this.#size = 0;
    const line = whole.at(-1) === CARRIAGE_RETURN ? whole.subarray(0, -1) : whole;
    if (line.length > 0) this.#events.message(line);
  }
}

function hasEnded(child: ChildProcessWithoutNullStreams): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

async function endsWithin(child: ChildProcessWithoutNullStreams, limitMs: number): Promise<boolean> {
  if (hasEnded(child)) return true;
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), limitMs);
    child.once('exit', () => {
      clearTimeout(timer);
      resolve(true);
    });
  });
}
