/** G25 to G36: what the gateway does with calls in flight, between eras, and with credentials. */
import { BYTES, exception, OWN_HEADERS, PAGE, scenario, test, type Requirement } from './manifest.ts';

/** The rows of the checklist about calls. */
export const CALL_REQUIREMENTS: readonly Requirement[] = [
  {
    id: 'G25',
    strength: 'M',
    behaviour:
      'requestState and inputResponses pass as they are; only calls that the gateway holds have its own, sealed.',
    link: PAGE.mrtr,
    provenBy: [
      test('kinds', 'a prompt is asked of its own server under its own name, with everything else as it came'),
      scenario('input-required-result-request-state'),
      scenario('input-required-result-multi-round'),
      test('askLimits', 'a requestState that was changed, is of another request, process or time'),
    ],
  },
  {
    id: 'G26',
    strength: 'S',
    behaviour: "The client's own capabilities go upstream with each request, as far as they are relayed.",
    link: PAGE.base,
    provenBy: [
      BYTES,
      scenario('input-required-result-capability-check'),
      test('askLimits', 'a server is told what the client of the call declared, and asks no other'),
    ],
  },
  {
    id: 'G27',
    strength: 'S',
    behaviour:
      "Errors of an upstream pass; those of the gateway's making become -32603, outages a result that names the database.",
    link: PAGE.base,
    provenBy: [
      test(
        'degraded',
        'an error answer of the upstream passes, unless it is about what the gateway made of the request',
      ),
      test('matrix', 'in bounded time, others go on ('),
      test('kinds', 'a failing server of a prompt is told as an error, not as a tool result'),
      test('askLimits', 'a URL that must be opened: -32021 for a modern client that cannot'),
      test('asks', 'a URL that must be opened first is opened by a modern client, and the call is made again'),
      test('notFound', "a resource that is not there has the code of the client's revision"),
    ],
  },
  {
    id: 'G28',
    strength: 'S',
    behaviour: "Progress arrives under the client's token, in order, and not without one.",
    link: PAGE.progress,
    provenBy: [
      test('inFlight', 'progress arrives in order and with the client'),
      test('bridge', 'progress and log lines of a call reach its client, under its own token and in order'),
    ],
  },
  {
    id: 'G29',
    strength: 'S',
    behaviour: 'A cancellation, however it is told, ends exactly that call at exactly its upstream.',
    link: PAGE.cancellation,
    provenBy: [
      test('inFlight', 'of 100 random calls exactly the cancelled ones end at their upstreams'),
      test('bridge', 'a client that is gone, and a deadline, cancel the call at the legacy server'),
      test('sse', 'a cancelled request ends at the upstream and is not answered'),
      test('batch', 'a call of a batch can be cancelled alone: its answer is left out, the others arrive'),
    ],
  },
  {
    id: 'G30',
    strength: 'S',
    behaviour: 'Between eras the envelope is replaced; everything else in _meta passes.',
    link: PAGE.base,
    provenBy: [
      test(
        'modernOnly',
        'a legacy client calls a server of 2026-07-28 alone: the envelope is added, modern members are taken off',
      ),
      BYTES,
      test('splicer', 'a message that passes in pieces comes out as if it had been edited as a whole'),
      test('bridge', 'a modern client calls a legacy server ('),
      exception(
        'Within one era nothing of _meta is replaced, the progress token included: each request has its own stream upstream. A child span in traceparent comes with tracing.',
      ),
    ],
  },
  {
    id: 'G31',
    strength: 'S',
    behaviour: 'Each call has a hard deadline.',
    link: PAGE.cancellation,
    provenBy: [
      test('degraded', 'a hanging upstream ends at the deadline, and neither lists nor other upstreams wait for it'),
      test('inFlight', 'progress does not extend the deadline of a call'),
    ],
  },
  {
    id: 'G32',
    strength: 'S',
    behaviour: 'One listen stream per upstream feeds those of all clients, each with its own acknowledgement and id.',
    link: PAGE.listen,
    provenBy: [
      test('listen', 'an upstream that promises to tell of its lists has one stream, whoever listens'),
      test('listen', 'resources are listened to as long as any client wants them, each client hearing of its own'),
      test('listen', 'a stream that ends is opened again, and what may have been missed is told'),
      test('bridge', 'a listen stream is acknowledged, and then tells of the changes of a legacy server'),
      test('sse', 'a session and a subscription are told when the list of tools changes'),
    ],
  },
  {
    id: 'G33',
    strength: 'S',
    behaviour:
      'What a legacy server asks becomes input_required for a modern client while its call is held open, within bounds.',
    link: PAGE.mrtr,
    provenBy: [
      test('asks', ', and answers: elicitation, sampling, roots, at once and in turn'),
      test('askLimits', 'an answer that is missing is asked for again, and one that is no object counts as missing'),
      test('askLimits', 'a call that waits for its client is continued by one request at a time'),
      test('askLimits', 'a modern client that leaves after it has answered ends the call at the server'),
      test('askLimits', 'no more than half of the places wait for clients'),
      test('askSessions', 'clients that call at the same time are each asked for their own call'),
      test('modernOnly', 'what a modern server asks its client becomes an error that a legacy client understands'),
      test('bridge', 'what a legacy server asks of its client is answered with no such method'),
    ],
  },
  {
    id: 'G34',
    strength: 'S',
    behaviour: 'Content that a revision does not know becomes text for its clients.',
    link: PAGE.sessions,
    provenBy: [
      test(
        'gatewayBridge',
        'a client of 2024-11-05 gets links and audio as text from every server; a newer one gets them as they are',
      ),
      test('bridge', 'a client of an old revision gets a resource link as text'),
      test('oldRevisions', ' cannot read becomes text, all else stays, answered as '),
    ],
  },
  {
    id: 'G35',
    strength: 'M',
    behaviour: "Each upstream has its own stored credential; the caller's is never used.",
    link: PAGE.authorizationSecurity,
    provenBy: [
      OWN_HEADERS,
      exception('That the gateway is a protected resource with an audience of its own comes with authorization.'),
    ],
  },
  {
    id: 'G36',
    strength: 'S',
    behaviour: 'What a caller may not call is not listed, and is refused when it is called all the same.',
    link: PAGE.authorization,
    provenBy: [
      exception(
        'There are no roles or scopes yet: every caller sees and may call the same tools. Comes with authorization.',
      ),
    ],
  },
];
