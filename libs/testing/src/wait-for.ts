import { setTimeout as delay } from 'node:timers/promises';

/** How long to wait, how often to look, and what is waited for (for the error message). */
export interface WaitOptions {
  deadlineMs?: number;
  pollMs?: number;
  /** Completes the sentence "waited … for". */
  what: string;
}

/** Generous, because two cores are often shared by several test runs. */
const DEFAULT_DEADLINE_MS = 10_000;
const DEFAULT_POLL_MS = 20;

/**
 * Looks again and again until the condition gives something other than false, null or undefined, and gives that.
 * A condition that throws counts as not met yet; its last error is the cause of the timeout error.
 */
export async function waitFor<T>(
  condition: () => T | Promise<T>,
  options: WaitOptions,
): Promise<Exclude<T, false | null | undefined>> {
  const deadlineMs = options.deadlineMs ?? DEFAULT_DEADLINE_MS;
  const deadline = Date.now() + deadlineMs;
  let cause: unknown;
  for (;;) {
    try {
      const value = await condition();
      if (value !== false && value !== null && value !== undefined) {
        return value as Exclude<T, false | null | undefined>;
      }
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    if (Date.now() >= deadline) {
      const last = cause instanceof Error ? ` The last attempt failed: ${cause.message}` : '';
      throw new Error(`Waited ${deadlineMs} ms for ${options.what}, in vain.${last}`, { cause });
    }
    await delay(options.pollMs ?? DEFAULT_POLL_MS);
  }
}
