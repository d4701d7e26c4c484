/** S26 to S50: what a server of 2026-07-28 offers: lists, tools, resources, prompts, patterns, authorization. */
import { exception, PAGE, scenario, test, type Requirement } from './manifest.ts';

const CODES = test('wire', 'errors have the status and code that the specification gives them');
const STAMPS = test('wire', 'results of the gateway say that they are complete, who answers');
const NO_AUTHORIZATION = exception(
  'The gateway asks for no token yet: it listens on a loopback address by default, and a proxy in front has to authenticate. Authorization is work of its own.',
);

/** The rows of the checklist about features. */
export const FEATURE_REQUIREMENTS: readonly Requirement[] = [
  // Lists, caching, pagination
  {
    id: 'S26',
    strength: 'M',
    behaviour: 'Complete results of discovery and lists carry ttlMs and cacheScope.',
    link: PAGE.caching,
    provenBy: [STAMPS, scenario('caching')],
  },
  {
    id: 'S27',
    strength: 'M',
    behaviour: 'All pages of a list have one cacheScope.',
    link: PAGE.caching,
    provenBy: [
      test('wire', 'all pages of a list have the same cache scope'),
      test('kinds', 'each list has the shortest time of its own kind, and is private when a part is'),
    ],
  },
  {
    id: 'S28',
    strength: 'S',
    behaviour:
      'Cursors are opaque, and the empty text of an upstream is one like any other; an invalid or stale one is -32602.',
    link: PAGE.pagination,
    provenBy: [
      test('pagination', 'a cursor that is not of this list is refused, and the list can be started again'),
      test('kinds', 'pages have the configured size, join without gap'),
      test('fetchLists', 'the pages of an upstream are walked by its own cursors ('),
    ],
  },
  {
    id: 'S29',
    strength: 'M',
    behaviour: 'Lists are the same on each connection and in the same order every time.',
    link: PAGE.tools,
    provenBy: [
      test('pagination', 'a thousand tools in pages of twenty beside three other upstreams'),
      test('definitionRules', 'lists its tools in the same bytes every time'),
    ],
  },
  // Tools
  {
    id: 'S30',
    strength: 'M',
    behaviour: 'Capabilities are declared only when they are served; listChanged only where it is sent.',
    link: PAGE.tools,
    provenBy: [
      test('listen', 'only what can be told is acknowledged'),
      test('wire', 'only capabilities that are served from end to end are declared'),
      test('wire', 'changes of lists are promised to every client, those of single resources to modern ones'),
      test('listen', 'legacy clients over Streamable HTTP hear of changed lists on the stream that they open'),
      test('sse', 'a session and a subscription are told when the list of tools changes'),
    ],
  },
  {
    id: 'S31',
    strength: 'M',
    behaviour: 'Each input schema is an object schema; a tool without one is left out alone.',
    link: PAGE.tools,
    provenBy: [
      test('gateway', 'all pages of an upstream are read, and bad tools are left out alone'),
      test('definitionRules', 'gives every tool an input schema of type object'),
    ],
  },
  {
    id: 'S32',
    strength: 'M',
    behaviour: 'Structured content is there with an output schema, and again as text.',
    link: PAGE.tools,
    provenBy: [
      test('callRules', 'gives the same content as structure and as text'),
      test('gateway', 'hub tools answer in both eras'),
    ],
  },
  {
    id: 'S33',
    strength: 'S',
    behaviour: 'Published names have 1 to 64 of A-Z, a-z, 0-9, _ and -, and each is there once.',
    link: PAGE.tools,
    provenBy: [
      test('mergedList', 'published names follow the naming rule'),
      test('definitionRules', 'gives every tool a name that all model APIs take'),
    ],
  },
  {
    id: 'S34',
    strength: 'M',
    behaviour: 'An unknown tool is -32602; wrong arguments and failures are results with isError that help.',
    link: PAGE.tools,
    provenBy: [
      test('gateway', 'an unknown tool is an error that suggests the closest name'),
      test('callRules', 'answers wrong arguments with isError and names the argument'),
      scenario('tools-call-error'),
    ],
  },
  {
    id: 'S35',
    strength: 'M',
    behaviour: 'Inputs are validated, calls limited per upstream, and what is internal is not shown.',
    link: PAGE.tools,
    provenBy: [
      test('badInput', 'gets an error that helps, at the gateway and at the server'),
      test('faults', 'calls over limit and queue are refused, exactly those'),
      test('kit', 'failures are isError results that say what to do, and hide what is internal'),
    ],
  },
  // Resources, prompts, completion, logging
  {
    id: 'S36',
    strength: 'M',
    behaviour: 'An unknown resource is -32602 with its URI, never an empty content.',
    link: PAGE.resources,
    provenBy: [
      test('uriTemplate', 'URIs fit the templates that they may come from'),
      test('kitResources', 'a resource that is missing is -32602 with its URI'),
      CODES,
      scenario('sep-2164-resource-not-found'),
      scenario('resources-read-binary'),
    ],
  },
  {
    id: 'S37',
    strength: 'M',
    behaviour: 'An unknown prompt is -32602; arguments are checked by the server that has it.',
    link: PAGE.prompts,
    provenBy: [CODES, scenario('prompts-get-with-args')],
  },
  {
    id: 'S38',
    strength: 'M',
    behaviour: 'Completions are declared when an upstream has them and answered by the owner of the reference.',
    link: PAGE.completion,
    provenBy: [
      test('kinds', 'completions go to the owner of what is completed'),
      test('kitResources', 'at most 100 completions are given, and it is said that there are more'),
      scenario('completion-complete'),
      test(
        'capCompletion',
        'of more than a hundred values the first hundred remain, and it is told that there are more',
      ),
    ],
  },
  {
    id: 'S39',
    strength: 'M',
    behaviour: 'No log message reaches a client that did not ask for it with that request.',
    link: PAGE.logging,
    provenBy: [scenario('server-stateless')],
  },
  // Patterns
  {
    id: 'S40',
    strength: 'M',
    behaviour: 'A listen stream is acknowledged first and tells what it asked for, each with its subscription id.',
    link: PAGE.listen,
    provenBy: [
      test('listen', 'changes at an upstream reach each client stream under its own id, and only what it asked for'),
      test('listen', 'only what can be told is acknowledged'),
      test('listen', 'every stream gets its answer when the gateway ends, after its acknowledgement'),
      test('sse', 'a session and a subscription are told when the list of tools changes'),
      test('bridge', 'a listen stream is acknowledged, and then tells of the changes of a legacy server'),
    ],
  },
  {
    id: 'S41',
    strength: 'M',
    behaviour:
      'A result that requires input passes for tools, prompts and resources, and asks only what the client can.',
    link: PAGE.mrtr,
    provenBy: [
      scenario('input-required-result-basic-elicitation'),
      scenario('input-required-result-multiple-input-requests'),
      scenario('input-required-result-non-tool-request'),
      scenario('input-required-result-unsupported-methods'),
      scenario('input-required-result-capability-check'),
      test('asks', ', and answers: elicitation, sampling, roots, at once and in turn'),
    ],
  },
  {
    id: 'S42',
    strength: 'M',
    behaviour:
      "requestState comes back to its server as it was given, and a changed one is refused there; so is the gateway's own.",
    link: PAGE.mrtr,
    provenBy: [
      scenario('input-required-result-request-state'),
      scenario('input-required-result-tampered-state'),
      test('askLimits', 'a requestState that was changed, is of another request, process or time'),
    ],
  },
  {
    id: 'S43',
    strength: 'S',
    behaviour: 'A missing answer is asked for again, a needless one is ignored.',
    link: PAGE.mrtr,
    provenBy: [
      scenario('input-required-result-missing-input-response'),
      scenario('input-required-result-ignore-extra-params'),
      test('askLimits', 'an answer that is missing is asked for again, and one that is no object counts as missing'),
    ],
  },
  {
    id: 'S44',
    strength: 'M',
    behaviour: 'Nothing secret is asked for in a form.',
    link: PAGE.elicitation,
    provenBy: [
      exception(
        'Does not apply yet: neither the gateway nor a database server asks its client for anything; what foreign servers ask passes as it is.',
      ),
    ],
  },
  {
    id: 'S45',
    strength: 'M',
    behaviour: 'Progress is told only under a token and in order, and never extends the deadline of a call.',
    link: PAGE.progress,
    provenBy: [
      test('inFlight', 'progress arrives in order and with the client'),
      test('inFlight', 'progress does not extend the deadline of a call'),
      scenario('tools-call-with-progress'),
    ],
  },
  // Authorization
  {
    id: 'S46',
    strength: 'M',
    behaviour: 'Protected resource metadata are found through the challenge or the well-known path.',
    link: PAGE.authorization,
    provenBy: [NO_AUTHORIZATION],
  },
  {
    id: 'S47',
    strength: 'M',
    behaviour:
      'Tokens are validated, audience included; none that was meant for another is accepted, and none is passed on.',
    link: PAGE.authorization,
    provenBy: [
      test('gateway', 'only listed headers travel to the upstream, with its own credential and never the client'),
      NO_AUTHORIZATION,
    ],
  },
  {
    id: 'S48',
    strength: 'M',
    behaviour: 'Challenges have the right status and name all scopes that are needed.',
    link: PAGE.authorization,
    provenBy: [NO_AUTHORIZATION],
  },
  {
    id: 'S49',
    strength: 'M',
    behaviour: 'A proxied authorization server asks for consent per client.',
    link: PAGE.authorizationSecurity,
    provenBy: [exception('Does not apply: the gateway proxies no authorization server.')],
  },
  {
    id: 'S50',
    strength: '—',
    behaviour: 'What is deprecated still works where a client needs it: HTTP+SSE at /sse.',
    link: PAGE.deprecated,
    provenBy: [
      test('sse', 'a client of the old transport initialises, lists and calls; its answers come on the stream'),
      test('clients', 'the SDK v2 client over HTTP+SSE lists and calls tools at the gateway and at each server'),
    ],
  },
];
