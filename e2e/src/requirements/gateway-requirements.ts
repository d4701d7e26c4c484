/** G01 to G24: what the specification asks of an intermediary, and what follows for one that merges lists and names. */
import { BYTES, exception, OWN_HEADERS, PAGE, scenario, test, type Requirement } from './manifest.ts';

/** The rows of the checklist about lists, names and resources. */
export const GATEWAY_REQUIREMENTS: readonly Requirement[] = [
  {
    id: 'G01',
    strength: 'M',
    behaviour: 'Headers that contradict the body are refused with an HTTP error status.',
    link: PAGE.http,
    provenBy: [
      test('classify', 'every message gets its verdict'),
      test('wire', 'errors have the status and code that the specification gives them'),
    ],
  },
  {
    id: 'G02',
    strength: 'M',
    behaviour: 'Unknown Mcp-Param headers are passed on, known ones are compared with the body.',
    link: PAGE.http,
    provenBy: [
      test('paramHeaders', 'headers must repeat the arguments'),
      OWN_HEADERS,
      test('kinds', 'a call that does not repeat its annotated arguments in headers is refused'),
    ],
  },
  {
    id: 'G03',
    strength: 'M',
    behaviour: 'A merged list is private when any part of it is.',
    link: PAGE.caching,
    provenBy: [test('kinds', 'each list has the shortest time of its own kind, and is private when a part is')],
  },
  {
    id: 'G04',
    strength: 'S',
    behaviour: "Names are told apart by a prefix from the operator's configuration.",
    link: PAGE.tools,
    provenBy: [
      test('mergedList', 'published names follow the naming rule'),
      test('gateway', 'of a name that got its prefix here only the name changes on the way up'),
    ],
  },
  {
    id: 'G05',
    strength: 'M',
    behaviour: "A client's token never goes upstream.",
    link: PAGE.authorizationSecurity,
    provenBy: [OWN_HEADERS],
  },
  {
    id: 'G06',
    strength: 'S',
    behaviour: 'Any replica serves any request; nothing sticks to a process.',
    link: PAGE.http,
    provenBy: [test('wire', 'a legacy client is served by two gateway processes in turn, without a session')],
  },
  {
    id: 'G07',
    strength: 'S',
    behaviour: "Versions and serverInfo are the gateway's own.",
    link: PAGE.discover,
    provenBy: [
      test('wire', 'results of the gateway say that they are complete, who answers'),
      test('gateway', 'a handshake echoes the revision it speaks, and offers its newest for any other'),
      exception(
        'A tool result that passes as bytes keeps the serverInfo that its server put in; removing it would mean to parse each result.',
      ),
    ],
  },
  {
    id: 'G08',
    strength: 'S',
    behaviour: 'Capabilities are those of all configured upstreams together and stay while one is down.',
    link: PAGE.discover,
    provenBy: [
      test('kinds', 'capabilities are those of all upstreams together, stay while one is down'),
      test('extensions', 'of extensions those are promised, in both eras, that pass from end to end ('),
      test('wire', 'only capabilities that are served from end to end are declared'),
    ],
  },
  {
    id: 'G09',
    strength: 'S',
    behaviour: 'Instructions are a preamble and a section per upstream in configuration order, limited in size.',
    link: PAGE.discover,
    provenBy: [
      test('instructions', 'instructions name every database, then give each its section in configuration order'),
      test('instructions', 'instructions are capped, for each database and together'),
    ],
  },
  {
    id: 'G10',
    strength: 'S',
    behaviour:
      'The merged ttlMs is the smallest that remains, the scope the strictest, over complete lists of all pages.',
    link: PAGE.caching,
    provenBy: [
      test('kinds', 'each list has the shortest time of its own kind, and is private when a part is'),
      test('pagination', 'a thousand tools in pages of twenty beside three other upstreams'),
    ],
  },
  {
    id: 'G11',
    strength: 'S',
    behaviour: "Cursors are the gateway's own, and one of a list that has changed is -32602.",
    link: PAGE.pagination,
    provenBy: [
      test('kinds', 'pages have the configured size, join without gap'),
      test('pagination', 'a cursor that is not of this list is refused, and the list can be started again'),
    ],
  },
  {
    id: 'G12',
    strength: 'S',
    behaviour: 'Order is that of the configuration, then by name, and the bytes are the same in each process.',
    link: PAGE.tools,
    provenBy: [
      test('pagination', 'a thousand tools in pages of twenty beside three other upstreams'),
      test('mergedList', 'tools stand in configuration order, then by name, and keep every byte but the name'),
    ],
  },
  {
    id: 'G13',
    strength: 'S',
    behaviour: 'An upstream that is down keeps its last list; no list ever fails or waits for it.',
    link: PAGE.caching,
    provenBy: [
      test('listStore', 'a gateway that starts while a server is down lists what that server had'),
      test('degraded', 'calls to a dead upstream fail fast in both eras without its address, its tools stay listed'),
      test('kinds', 'a list that fails alone leaves the others, and keeps what it had'),
      test('matrix', 'an upstream that was dead when the gateway started is picked up within two seconds'),
    ],
  },
  {
    id: 'G14',
    strength: 'S',
    behaviour: 'Private lists are kept per credential of the upstream.',
    link: PAGE.caching,
    provenBy: [
      test('listStore', 'a name that is given to another server does not get the lists of the former one'),
      exception(
        'Holds by construction: an upstream has exactly one credential, the configured one, and its lists are kept per upstream. To be proven once callers can have credentials of their own.',
      ),
    ],
  },
  {
    id: 'G15',
    strength: 'S',
    behaviour: 'Calls are routed by an exact table of published names; a collision is a configuration error.',
    link: PAGE.tools,
    provenBy: [
      test('gateway', 'equal published names stop the start with an error that names both upstreams'),
      test('gateway', 'a collision that comes later leaves the name to the first'),
    ],
  },
  {
    id: 'G16',
    strength: 'S',
    behaviour: 'Over-long names get a hashed tail, always the same; none is dropped.',
    link: PAGE.tools,
    provenBy: [
      test(
        'mergedList',
        'a name that does not fit gets a hashed tail, always the same and different for different names',
      ),
    ],
  },
  {
    id: 'G17',
    strength: 'S',
    behaviour: 'An unknown name is asked for once, rarely, and is then -32602.',
    link: PAGE.tools,
    provenBy: [
      test('gateway', 'a tool that is newer than the list is found, but unknown names cause no storm of requests'),
    ],
  },
  {
    id: 'G18',
    strength: 'M',
    behaviour: 'Where a prefix is taken off, the Mcp-Name header goes with the body.',
    link: PAGE.http,
    provenBy: [test('gateway', 'of a name that got its prefix here only the name changes on the way up'), BYTES],
  },
  {
    id: 'G19',
    strength: 'M',
    behaviour: 'Annotations for headers are published, checked and passed on.',
    link: PAGE.http,
    provenBy: [
      test('kinds', 'a call that does not repeat its annotated arguments in headers is refused'),
      scenario('http-custom-header-server-validation'),
    ],
  },
  {
    id: 'G20',
    strength: 'S',
    behaviour: 'Of a tool every byte but the name stays; one that no client could follow is left out.',
    link: PAGE.tools,
    provenBy: [
      test('paramHeaders', 'invalid annotations are found'),
      test('properties', 'of generated tools every byte but the name is published, in the form of both eras'),
      test(
        'kindsProperties',
        'of generated prompts every byte but the name is published, of resources and templates every byte',
      ),
      test('wire', 'tools with an annotation that no client could follow are left out, the others stay'),
    ],
  },
  {
    id: 'G21',
    strength: 'S',
    behaviour: 'Resources are routed by exact URI, then template, then scheme.',
    link: PAGE.resources,
    provenBy: [
      test('uriTemplate', 'URIs fit the templates that they may come from'),
      test('kinds', 'a resource is read from the server that it belongs to'),
      scenario('resources-templates-read'),
    ],
  },
  {
    id: 'G22',
    strength: 'S',
    behaviour: 'Equal URIs are a configuration error, or rewritten in every place when that is switched on.',
    link: PAGE.resources,
    provenBy: [
      test('rewriteUris', 'URIs are translated at every place that the protocol names, and no other byte changes'),
      test('rewriteUris', 'an event stream is translated in the same way however it is cut into pieces'),
      test('kinds', 'equal resource URIs stop the start with an error that names both servers and the remedy'),
      test(
        'kinds',
        'with rewriteUris both servers are served, and URIs are translated in every place and nowhere else',
      ),
    ],
  },
  {
    id: 'G23',
    strength: 'S',
    behaviour: 'Completions go to the owner of the prompt or template, under its own name.',
    link: PAGE.completion,
    provenBy: [
      test(
        'capCompletion',
        'of more than a hundred values the first hundred remain, and it is told that there are more',
      ),
      test('kinds', 'completions go to the owner of what is completed'),
    ],
  },
  {
    id: 'G24',
    strength: 'S',
    behaviour: 'Prompts follow the same name rule as tools.',
    link: PAGE.prompts,
    provenBy: [
      test('kinds', 'a prompt is asked of its own server under its own name, with everything else as it came'),
    ],
  },
];
