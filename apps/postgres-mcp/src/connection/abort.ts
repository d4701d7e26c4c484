/** Ends a statement on the server when its call is aborted. */

/** A cancel request that comes before the statement has begun has no effect, so it is repeated. */
const CANCEL_REPEAT_MS = 200;
/** After a cancel request the statement gets this long to end before the connection is given up. */
const CANCEL_GRACE_MS = 800;

/** On abort asks Postgres to end the statement; `gaveUp` rejects when that does not help in time. */
export function watchAbort(
  signal: AbortSignal,
  sendCancel: () => void,
): { gaveUp: Promise<never>; release: () => void } {
  const { promise: gaveUp, reject } = Promise.withResolvers<never>();
  gaveUp.catch(() => {});
  let timer: NodeJS.Timeout | undefined;
  let repeat: NodeJS.Timeout | undefined;
  const onAbort = (): void => {
    timer = setTimeout(() => reject(signal.reason), CANCEL_GRACE_MS);
    repeat = setInterval(sendCancel, CANCEL_REPEAT_MS);
    sendCancel();
  };
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort, { once: true });
  return {
    gaveUp,
    release() {
      clearTimeout(timer);
      clearInterval(repeat);
      signal.removeEventListener('abort', onAbort);
    },
  };
}
