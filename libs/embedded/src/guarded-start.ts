import { setTimeout as delay } from 'node:timers/promises';
import { startGuard } from './guard.ts';
import type { Guard } from './guard.ts';
import { PortTakenError } from './ports.ts';
import type { StartOptions } from './start-options.ts';

const FREE_PORT_ATTEMPTS = 5;
// The backends of a killed Postgres notice within a second or two that their parent is gone.
const PREDECESSOR_DEADLINE_MS = 15_000;
const PREDECESSOR_POLL_MS = 250;

/** What is left of a killed server has not ended yet; a later attempt will work. */
export class PredecessorEndingError extends Error {}

/** Runs one start under a new guard, which cleans up if it fails; again when the reason passes by itself. */
export async function startGuarded<Server>(
  name: string,
  options: StartOptions,
  start: (guard: Guard) => Promise<Server>,
): Promise<Server> {
  const isPortFixed = options.port !== undefined && options.port !== 0;
  const deadline = Date.now() + PREDECESSOR_DEADLINE_MS;
  for (let attempt = 1; ; attempt += 1) {
    const guard = await startGuard(name);
    try {
      return await start(guard);
    } catch (error) {
      await guard.stop();
      if (error instanceof PredecessorEndingError && Date.now() < deadline) await delay(PREDECESSOR_POLL_MS);
      // Between choosing a free port and using it another program may take it.
      else if (isPortFixed || !(error instanceof PortTakenError) || attempt === FREE_PORT_ATTEMPTS) throw error;
    }
  }
}
