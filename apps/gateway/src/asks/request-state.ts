/**
 * The `requestState` of calls that the gateway holds open for a client's input: which call, until when, and of what
 * request, sealed against changes. Only the process that made it can use it (MCP 2026-07-28 MRTR, S42).
 */
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/** What a state says. */
export interface HeldCall {
  /** Undefined: nothing is held, the request is to be made anew. */
  id?: string;
  /** When the wait ends, in milliseconds since 1970. */
  until: number;
  /** What the request names, see {@link digestOf}. */
  request: string;
}

/** A state that was read, or why it is of no use. */
export type ReadState = { kind: 'held'; call: HeldCall } | { kind: 'unusable'; problem: string };

/** Seals and reads the states of one upstream in one process. */
export interface RequestStates {
  seal(call: HeldCall): string;
  /** `request` is that of the retry. */
  read(state: unknown, request: string): ReadState;
}

const KEY_BYTES = 32;
const INSTANCE_BYTES = 9;
const ANEW = 'Make the call again, without requestState and inputResponses.';
const TAMPERED =
  'The requestState is not as the gateway gave it. Send it back unchanged, or make the call again without it.';

/** Creates the states; the key lives as long as the process. */
export function createRequestStates(): RequestStates {
  const key = randomBytes(KEY_BYTES);
  const instance = randomBytes(INSTANCE_BYTES).toString('base64url');
  const sign = (text: string): Buffer => createHmac('sha256', key).update(text).digest();
  return {
    seal: (call) => {
      const content = `${instance}.${Buffer.from(JSON.stringify(call)).toString('base64url')}`;
      return `${content}.${sign(content).toString('base64url')}`;
    },
    read: (state, request) => {
      const parts = typeof state === 'string' ? state.split('.') : [];
      const [from, payload, signature] = parts;
      if (parts.length !== 3 || payload === undefined || signature === undefined) return unusable(TAMPERED);
      if (from !== instance) {
        return unusable(`The call that asked for this input is not held by this gateway process (any more). ${ANEW}`);
      }
      if (!isSame(Buffer.from(signature, 'base64url'), sign(`${from}.${payload}`))) return unusable(TAMPERED);
      const call: HeldCall = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'));
      if (call.request !== request) return unusable(`The requestState belongs to another request. ${ANEW}`);
      if (call.until < Date.now()) return unusable(expired());
      return { kind: 'held', call };
    },
  };
}

/** The wait is over, or the call has ended in some other way. */
export function expired(): string {
  return `The call that asked for this input has ended. ${ANEW}`;
}

/** What stands for a request: its method, what it names, and its arguments as they were written; a retry repeats all. */
export function digestOf(method: string, name: string, args: Buffer): string {
  return createHash('sha256')
    .update(JSON.stringify([method, name]))
    .update(args)
    .digest('base64url');
}

function unusable(problem: string): ReadState {
  return { kind: 'unusable', problem };
}

function isSame(given: Buffer, expected: Buffer): boolean {
  return given.length === expected.length && timingSafeEqual(given, expected);
}
