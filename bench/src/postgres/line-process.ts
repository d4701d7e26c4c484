/** A process that is spoken to in lines: standard input one way, standard output the other. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** A running process. */
export interface LineProcess {
  readonly pid: number;
  send(line: string): void;
  /** Ends its input, and kills it when it has not ended soon after. */
  stop(): Promise<void>;
}

/** What to start, and who takes its lines. */
export interface LineProcessOptions {
  args: readonly string[];
  env?: Readonly<Record<string, string>>;
  onLine(line: Buffer): void;
  /** Told when it ends before `stop`, with the end of what it wrote to standard error. */
  onFailure(reason: string): void;
}

const LINE_FEED = 0x0a;
const MAX_STDERR_CHARACTERS = 2_000;
const KILL_AFTER_MS = 5_000;

/** Starts this Node with the arguments. */
export function startLineProcess(options: LineProcessOptions): LineProcess {
  const child = spawn(process.execPath, options.args, { env: { ...process.env, ...options.env }, stdio: 'pipe' });
  let said = '';
  let isStopping = false;
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-MAX_STDERR_CHARACTERS)));
  child.stdin.on('error', () => {});
  child.on('error', (error) => options.onFailure(error.message));
  const exited = once(child, 'exit');
  child.on('exit', (code, signal) => {
    if (!isStopping) options.onFailure(`it ended with code ${code}, signal ${signal}: ${said}`);
  });
  let parts: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => {
    let rest = chunk;
    for (let end = rest.indexOf(LINE_FEED); end !== -1; end = rest.indexOf(LINE_FEED)) {
      const tail = rest.subarray(0, end);
      const line = parts.length === 0 ? tail : Buffer.concat([...parts, tail]);
      parts = [];
      options.onLine(line);
      rest = rest.subarray(end + 1);
    }
    if (rest.length > 0) parts.push(rest);
  });
  return {
    pid: child.pid ?? 0,
    send: (line) => void child.stdin.write(`${line}\n`),
    async stop() {
      isStopping = true;
      child.stdin.end();
      const timer = setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS);
      await exited;
      clearTimeout(timer);
    },
  };
}
