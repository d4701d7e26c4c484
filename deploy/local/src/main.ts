import { parseOptions, USAGE } from './options.ts';
import { startLocalSystem } from './local-system.ts';

const parsed = parseOptions(process.argv.slice(2), process.env);
if (parsed.kind === 'help') {
  console.log(USAGE);
  process.exit(0);
}
if (parsed.kind === 'problems') {
  console.error(`${parsed.problems.join('\n')}\n\n${USAGE}`);
  process.exit(2);
}

const started = Date.now();
const say = (line: string): void => console.log(`[${((Date.now() - started) / 1000).toFixed(1)} s] ${line}`);

const system = startLocalSystem(parsed.options, process.env, say);
let state: 'starting' | 'ready' | 'ending' = 'starting';
const stop = (): void => {
  if (state === 'ending') return;
  // Everything that was started ends by itself when this process is gone, so a start need not be waited for.
  if (state === 'starting') process.exit(1);
  state = 'ending';
  say('ending');
  void system.then(({ stop: end }) => end()).finally(() => process.exit(0));
};
process.on('SIGINT', stop).on('SIGTERM', stop).on('SIGHUP', stop);

try {
  const { banner } = await system;
  console.log(banner);
  state = 'ready';
  say('ready');
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}
