import { startGuard } from './guard.ts';
import type { Guard } from './guard.ts';
import { PortTakenError } from './ports.ts';
import type { StartOptions } from './start-options.ts';

const FREE_PORT_ATTEMPTS = 5;

/** Runs one start under a new guard that cleans up if it fails; again when a freely chosen port was lost meanwhile. */
export async function startGuarded<Server>(
  name: string,
  options: StartOptions,
  start: (guard: Guard) => Promise<Server>,
): Promise<Server> {
  const isPortFixed = options.port !== undefined && options.port !== 0;
  for (let attempt = 1; ; attempt += 1) {
    const guard = await startGuard(name);
    try {
      return await start(guard);
    } catch (error) {
      await guard.stop();
      if (isPortFixed || !(error instanceof PortTakenError) || attempt === FREE_PORT_ATTEMPTS) throw error;
    }
  }
}
