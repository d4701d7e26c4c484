/** An outlet that tells an observation what passes through it. */
import type { Outlet, StreamedReply } from '../edge/message.ts';
import type { CallFailure, CallHandle, ReplyHead } from '../upstream/upstream.ts';
import type { Observation } from './observation.ts';
import { OutcomeReader, readOwnAnswer } from './outcome.ts';

/** The outlet, observed. */
export function observeOutlet(outlet: Outlet, observation: Observation): Outlet {
  const { openChannel } = outlet;
  return {
    ...outlet,
    send: (status, json) => {
      outlet.send(status, json);
      observation.finish(readOwnAnswer(json), json.length);
    },
    accept: () => {
      outlet.accept();
      observation.finish({ kind: 'ok' }, 0);
    },
    stream: (toAnswer) => new ObservedReply(outlet.stream(toAnswer), observation),
    // What follows are notifications, for as long as the client listens: the request itself is answered.
    ...(openChannel && {
      openChannel: () => {
        observation.finish({ kind: 'ok' }, 0);
        return openChannel();
      },
    }),
  };
}

class ObservedReply implements StreamedReply {
  readonly #reply: StreamedReply;
  readonly #observation: Observation;
  readonly #reader = new OutcomeReader();

  constructor(reply: StreamedReply, observation: Observation) {
    this.#reply = reply;
    this.#observation = observation;
  }

  attach(call: CallHandle): void {
    this.#reply.attach({
      cancel: () => {
        call.cancel();
        this.#observation.finish({ kind: 'cancelled' }, this.#reader.bytes);
      },
      resume: () => call.resume(),
    });
  }

  start(head: ReplyHead): void {
    this.#reader.start(head);
    this.#reply.start(head);
  }

  data(chunk: Buffer): boolean {
    this.#reader.push(chunk);
    return this.#reply.data(chunk);
  }

  end(): void {
    this.#reply.end();
    const outcome = this.#observation.outcome ?? this.#reader.finish();
    this.#observation.finish(outcome, this.#reader.bytes);
  }

  failed(failure: CallFailure): void {
    this.#reply.failed(failure);
    this.#observation.finish({ kind: 'failure', failure: failure.kind }, this.#reader.bytes);
  }
}
