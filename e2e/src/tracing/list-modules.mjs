/** Loaded with `--import` into a process: at its end it prints which modules of telemetry it has loaded. */
import { registerHooks } from 'node:module';

const loaded = new Set();
registerHooks({
  resolve(specifier, context, nextResolve) {
    const resolved = nextResolve(specifier, context);
    if (/opentelemetry|libs\/telemetry\/src/.test(resolved.url)) loaded.add(resolved.url);
    return resolved;
  },
});
process.on('exit', () => console.error(`MODULES ${JSON.stringify([...loaded])}`));
