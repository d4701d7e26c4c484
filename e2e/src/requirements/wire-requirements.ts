/** S01 to S25: messages, versions and the transport of a server of 2026-07-28; the gateway is one, and so is each database server. */
import { exception, PAGE, scenario, test, type Requirement } from './manifest.ts';

const VERDICTS = test('classify', 'every message gets its verdict');
const BAD_REQUESTS = test('gateway', 'bad requests get the status and the code that the protocol says');
const CODES = test('wire', 'errors have the status and code that the specification gives them');
const STAMPS = test('wire', 'results of the gateway say that they are complete, who answers');

/** The rows of the checklist about the wire. */
export const WIRE_REQUIREMENTS: readonly Requirement[] = [
  // Messages
  {
    id: 'S01',
    strength: 'M',
    behaviour:
      'Ids are strings or integers of any size and come back as they were written; no UTF-8 or no JSON is a parse error.',
    link: PAGE.base,
    provenBy: [
      test('gateway', 'lists carry every upstream in order, in the form of each era, with the id as it was written'),
      test('properties', 'generated calls and results pass byte for byte, answered as '),
      VERDICTS,
      BAD_REQUESTS,
    ],
  },
  {
    id: 'S02',
    strength: 'M',
    behaviour: 'Each result of a modern request says resultType, complete or input_required.',
    link: PAGE.base,
    provenBy: [STAMPS, scenario('input-required-result-result-type')],
  },
  {
    id: 'S03',
    strength: 'M',
    behaviour: 'No request depends on an earlier one, on a connection or on a process.',
    link: PAGE.base,
    provenBy: [
      test('wire', 'a legacy client is served by two gateway processes in turn, without a session'),
      scenario('server-stateless'),
    ],
  },
  {
    id: 'S04',
    strength: 'M',
    behaviour:
      'An envelope without version or capabilities is refused with 400 and -32602; client information is not required.',
    link: PAGE.base,
    provenBy: [VERDICTS, CODES],
  },
  {
    id: 'S05',
    strength: 'M',
    behaviour: 'A capability that the client lacks and the tool needs is refused with 400 and -32021, naming it.',
    link: PAGE.base,
    provenBy: [scenario('server-stateless'), scenario('input-required-result-capability-check')],
  },
  { id: 'S06', strength: 'S', behaviour: 'Results name the server that answers.', link: PAGE.base, provenBy: [STAMPS] },
  {
    id: 'S07',
    strength: 'M',
    behaviour: 'Only the error codes that the specification gives are used; reserved and withdrawn ones never.',
    link: PAGE.base,
    provenBy: [CODES],
  },
  {
    id: 'S08',
    strength: 'M',
    behaviour: 'Notifications get 202 and no body; no request ever goes to a modern client.',
    link: PAGE.patterns,
    provenBy: [
      BAD_REQUESTS,
      scenario('server-stateless'),
      test('bridge', 'what a legacy server asks of its client is answered with no such method'),
    ],
  },
  {
    id: 'S09',
    strength: 'M',
    behaviour: 'Arguments are checked by their JSON Schema; a reference to the network is never followed.',
    link: PAGE.base,
    provenBy: [
      test('wire', 'a schema that refers to the network is published as it is, and nothing is fetched'),
      test('callRules', 'answers wrong arguments with isError and names the argument'),
      exception(
        'Depth and time of validation need no bound here: the gateway checks no arguments, and the schemas of our servers are fixed and flat.',
      ),
    ],
  },
  {
    id: 'S10',
    strength: 'M',
    behaviour: 'Own _meta keys carry a reverse-DNS prefix; trace context passes as it is.',
    link: PAGE.base,
    provenBy: [
      STAMPS,
      test('gateway', 'only listed headers travel to the upstream, with its own credential and never the client'),
      VERDICTS,
    ],
  },
  // Versions and discovery
  {
    id: 'S11',
    strength: 'M',
    behaviour: 'server/discover tells versions, capabilities, instructions and freshness.',
    link: PAGE.discover,
    provenBy: [
      test('wire', 'server/discover tells the versions, what there is, and how the databases are called'),
      STAMPS,
    ],
  },
  {
    id: 'S12',
    strength: 'M',
    behaviour:
      'A version that is not spoken is refused with 400 and -32022, with those that are and the one that was asked for.',
    link: PAGE.versioning,
    provenBy: [
      test('classify', 'an unsupported era is told what is supported and what was asked for'),
      test('wireRules', 'answers an unknown protocol version with 400, -32022 and the supported ones'),
    ],
  },
  {
    id: 'S13',
    strength: 'M',
    behaviour: 'Extensions are declared only where they are served from end to end: today that is MCP Apps alone.',
    link: PAGE.versioning,
    provenBy: [
      test('wire', 'only capabilities that are served from end to end are declared'),
      test('extensions', 'of extensions those are promised, in both eras, that pass from end to end ('),
      test('extensions', 'user interfaces of tools work through the gateway, each from its own server ('),
      exception(
        'Tasks and skills are not promised: their methods name a task or a skill, not a server. Others are not, because the gateway cannot know their methods.',
      ),
    ],
  },
  {
    id: 'S14',
    strength: '—',
    behaviour: 'Both eras are served on one URL, told apart by each request alone.',
    link: PAGE.versioning,
    provenBy: [
      test('gateway', 'hub tools answer in both eras'),
      test('clients', 'lists and calls tools at the gateway and at each server'),
      test('callRules', 'serves the official client in era '),
    ],
  },
  {
    id: 'S15',
    strength: 'S',
    behaviour: 'A server of the modern era alone names its versions to a client that begins with initialize.',
    link: PAGE.versioning,
    provenBy: [exception('Does not apply: the gateway and the database servers serve both eras.')],
  },
  // Streamable HTTP
  {
    id: 'S16',
    strength: 'M',
    behaviour:
      'One POST is one request or notification; a modern batch is refused, a notification gets 202 without a body.',
    link: PAGE.http,
    provenBy: [BAD_REQUESTS, VERDICTS, test('wireRules', 'accepts a notification with 202 and an empty body')],
  },
  {
    id: 'S17',
    strength: 'M',
    behaviour: 'A foreign Origin or Host is refused with 403; by default only the loopback address is listened on.',
    link: PAGE.http,
    provenBy: [
      test('service', 'foreign Host and Origin are refused, loopback and listed ones are served'),
      test('wire', 'a foreign Origin or Host is refused with 403 before anything is read'),
      scenario('dns-rebinding-protection'),
    ],
  },
  {
    id: 'S18',
    strength: 'M',
    behaviour: 'Version, Mcp-Method and Mcp-Name headers are required and repeat the body; else 400 and -32020.',
    link: PAGE.http,
    provenBy: [VERDICTS, CODES, test('wireRules', 'answers headers that contradict the body with 400 and -32020')],
  },
  {
    id: 'S19',
    strength: 'M',
    behaviour: 'Header values in their Base64 form are decoded before they are compared; values are case-sensitive.',
    link: PAGE.http,
    provenBy: [
      test('paramHeaders', 'any text survives the encoding, and is a header value that Node sends'),
      VERDICTS,
      test('kinds', 'a call that does not repeat its annotated arguments in headers is refused'),
    ],
  },
  {
    id: 'S20',
    strength: 'M',
    behaviour:
      'An unknown method is 404 with -32601, GET is 405, session and event ids are ignored; GET and DELETE are for older revisions.',
    link: PAGE.http,
    provenBy: [
      BAD_REQUESTS,
      test('wire', 'a modern request is served whatever session or event id it names'),
      test('sessions', 'DELETE that names no session says what it needs'),
      test('sessions', 'GET opens a stream for legacy clients alone, and one that says what else it is for is refused'),
      test('sessions', 'DELETE ends a session: what comes with its id from then on is told to initialize again'),
    ],
  },
  {
    id: 'S21',
    strength: 'M',
    behaviour:
      'A streamed answer holds what belongs to its request, ends with the response, and gets comments while it is quiet.',
    link: PAGE.http,
    provenBy: [
      test('gateway', 'an event stream passes untouched'),
      test('wire', 'a streamed answer tells proxies not to hold it back, holds no request, and ends with its response'),
      test('inFlight', 'a quiet event stream gets comments, and only between its events'),
      test('sse', 'answers of an upstream that streams events pass as events, even side by side'),
    ],
  },
  {
    id: 'S22',
    strength: 'M',
    behaviour: 'A client that closes the stream ends the work, down to the query in the database.',
    link: PAGE.http,
    provenBy: [
      test('gateway', 'a closed client ends the request at the upstream'),
      test('endToEnd', 'a client that goes away ends the query on the database'),
    ],
  },
  {
    id: 'S23',
    strength: 'M',
    behaviour: 'Arguments can be annotated to travel in a header; tools whose annotation is not valid are left out.',
    link: PAGE.http,
    provenBy: [
      test('paramHeaders', 'annotations are read from properties at any depth'),
      test('paramHeaders', 'invalid annotations are found'),
      test('wire', 'tools with an annotation that no client could follow are left out, the others stay'),
    ],
  },
  {
    id: 'S24',
    strength: 'M',
    behaviour: 'Mcp-Param headers are required and compared where the body has the value, and expected nowhere else.',
    link: PAGE.http,
    provenBy: [
      test('paramHeaders', 'headers must repeat the arguments'),
      test('kinds', 'a call that does not repeat its annotated arguments in headers is refused'),
      scenario('http-custom-header-server-validation'),
    ],
  },
  {
    id: 'S25',
    strength: 'M',
    behaviour: 'A request without version header is one of an older client; HTTP+SSE has its own two endpoints.',
    link: PAGE.http,
    provenBy: [
      VERDICTS,
      test('sse', 'a client of the old transport initialises, lists and calls; its answers come on the stream'),
    ],
  },
];
