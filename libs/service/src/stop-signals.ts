/** The part of `process` that is needed to end in order. */
export interface SignalSource {
  on(event: 'SIGTERM' | 'SIGINT', listener: () => void): unknown;
  exit(code: number): never;
}

/** Runs `stop` at the first SIGTERM or SIGINT and exits with 0, or with 1 when it fails; a second signal exits at once. */
export function stopOnSignals(
  source: SignalSource,
  stop: () => Promise<void>,
  onError: (error: unknown) => void,
): void {
  let stopping = false;
  const handle = (): void => {
    if (stopping) source.exit(1);
    stopping = true;
    stop().then(
      () => source.exit(0),
      (error: unknown) => {
        onError(error);
        source.exit(1);
      },
    );
  };
  source.on('SIGTERM', handle);
  source.on('SIGINT', handle);
}
