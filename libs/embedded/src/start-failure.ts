import type { ProcessExit } from './guard.ts';

const LOG_TAIL_LINES = 15;

/** The error of a server that did not come up, with the end of its log. */
export function createStartFailure(what: string, exit: ProcessExit): Error {
  const tail = exit.output.trimEnd().split('\n').slice(-LOG_TAIL_LINES).join('\n');
  return new Error(`${what}. ${tail === '' ? 'Its log is empty.' : `The end of its log:\n${tail}`}`);
}
