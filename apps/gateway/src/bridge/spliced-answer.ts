/** A large answer on its way through a bridge: edited and passed on piece by piece, so that none of it is held. */
import { JsonSplicer, type SpliceRules } from '../json-splicer.ts';
import type { MessageSink } from '../upstream/event-stream.ts';

/** Where the answer goes. */
export interface SplicedTarget {
  /** False: no more for now. */
  data(chunk: Buffer): boolean;
  /** The message has ended; `isWhole` is false if its text had not, or cannot be read on. */
  ended(isWhole: boolean): void;
}

const EVENT_HEAD = Buffer.from('event: message\ndata: ');
const EVENT_END = Buffer.from('\n\n');
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const SPACE = 0x20;

/** Creates the sink; with `isEvent` the answer is written as an event of a stream. */
export function createSplicedAnswer(rules: SpliceRules, isEvent: boolean, target: SplicedTarget): MessageSink {
  const splicer = new JsonSplicer(rules);
  let hasBegun = false;
  let hasEnded = false;
  const end = (isWhole: boolean): void => {
    if (hasEnded) return;
    hasEnded = true;
    target.ended(isWhole);
  };
  return {
    push: (piece) => {
      let bytes: Buffer;
      try {
        bytes = splicer.push(piece);
      } catch {
        end(false);
        return true;
      }
      if (hasEnded || bytes.length === 0) return true;
      const text = isEvent ? toOneLine(bytes) : bytes;
      const isTaken = target.data(isEvent && !hasBegun ? Buffer.concat([EVENT_HEAD, text]) : text);
      hasBegun = true;
      return isTaken;
    },
    end: () => {
      if (isEvent && splicer.isDone && !hasEnded) target.data(EVENT_END);
      end(splicer.isDone);
    },
  };
}

/** Line breaks stand only between the tokens of JSON, where a space does as well. */
function toOneLine(bytes: Buffer): Buffer {
  if (!bytes.includes(LINE_FEED) && !bytes.includes(CARRIAGE_RETURN)) return bytes;
  return Buffer.from(bytes.map((byte) => (byte === LINE_FEED || byte === CARRIAGE_RETURN ? SPACE : byte)));
}
