/** The form of the requirements manifest, and short names for what its entries refer to. */

/** What proves a requirement. */
export type Proof =
  /** A test by its file and title; of a title with inserted values a part that is always there. */
  | { kind: 'test'; file: string; title: string }
  /** A scenario of the official suite, which the fixture passes directly and through the gateway. */
  | { kind: 'scenario'; scenario: string }
  /** Not proven, or not wholly, and why. */
  | { kind: 'exception'; reason: string };

/** One requirement. */
export interface Requirement {
  id: string;
  /** M must, S should, — neither; the gateway's own rules (G) have S unless the specification says more. */
  strength: 'M' | 'S' | '—';
  /** What happens, in one line. */
  behaviour: string;
  /** The page of the specification. */
  link: string;
  provenBy: readonly Proof[];
}

const SPECIFICATION = 'https://modelcontextprotocol.io/specification/2026-07-28/';

/** The pages that requirements stand on. */
export const PAGE = {
  base: `${SPECIFICATION}basic`,
  versioning: `${SPECIFICATION}basic/versioning`,
  http: `${SPECIFICATION}basic/transports/streamable-http`,
  patterns: `${SPECIFICATION}basic/patterns`,
  listen: `${SPECIFICATION}basic/patterns/subscriptions`,
  mrtr: `${SPECIFICATION}basic/patterns/mrtr`,
  progress: `${SPECIFICATION}basic/patterns/progress`,
  cancellation: `${SPECIFICATION}basic/patterns/cancellation`,
  authorization: `${SPECIFICATION}basic/authorization`,
  authorizationSecurity: `${SPECIFICATION}basic/authorization/security-considerations`,
  discover: `${SPECIFICATION}server/discover`,
  tools: `${SPECIFICATION}server/tools`,
  resources: `${SPECIFICATION}server/resources`,
  prompts: `${SPECIFICATION}server/prompts`,
  caching: `${SPECIFICATION}server/utilities/caching`,
  pagination: `${SPECIFICATION}server/utilities/pagination`,
  completion: `${SPECIFICATION}server/utilities/completion`,
  logging: `${SPECIFICATION}server/utilities/logging`,
  elicitation: `${SPECIFICATION}client/elicitation`,
  deprecated: `${SPECIFICATION}deprecated`,
  sessions: 'https://modelcontextprotocol.io/specification/2025-11-25/basic/transports',
} as const;

/** The test files, by what they are about. */
export const FILE = {
  asks: 'apps/gateway/src/bridge/asks.test.ts',
  askLimits: 'apps/gateway/src/bridge/ask-limits.test.ts',
  askSessions: 'apps/gateway/src/bridge/ask-sessions.test.ts',
  notFound: 'apps/gateway/src/edge/not-found-reply.test.ts',
  bridge: 'apps/gateway/src/bridge/bridge.test.ts',
  classify: 'apps/gateway/src/edge/classify.test.ts',
  degraded: 'apps/gateway/src/degraded.test.ts',
  extensions: 'apps/gateway/src/extensions.test.ts',
  batch: 'apps/gateway/src/edge/batch.test.ts',
  fetchLists: 'apps/gateway/src/catalogue/fetch-lists.test.ts',
  splicer: 'apps/gateway/src/json-splicer.test.ts',
  faults: 'apps/gateway/src/upstream/faults.test.ts',
  gateway: 'apps/gateway/src/gateway.test.ts',
  inFlight: 'apps/gateway/src/in-flight.test.ts',
  instructions: 'apps/gateway/src/catalogue/instructions.test.ts',
  listen: 'apps/gateway/src/listen.test.ts',
  listStore: 'apps/gateway/src/catalogue/list-store.test.ts',
  paramHeaders: 'apps/gateway/src/catalogue/param-headers.test.ts',
  rewriteUris: 'apps/gateway/src/catalogue/rewrite-uris.test.ts',
  uriTemplate: 'apps/gateway/src/catalogue/uri-template.test.ts',
  modernOnly: 'apps/gateway/src/bridge/modern-only.test.ts',
  capCompletion: 'apps/gateway/src/edge/cap-completion.test.ts',
  gatewayBridge: 'apps/gateway/src/bridge/gateway-bridge.test.ts',
  kinds: 'apps/gateway/src/kinds.test.ts',
  mergedList: 'apps/gateway/src/catalogue/merged-list.test.ts',
  sessions: 'apps/gateway/src/sessions.test.ts',
  sse: 'apps/gateway/src/sse.test.ts',
  matrix: 'e2e/src/fault-matrix.test.ts',
  endToEnd: 'e2e/src/faults.test.ts',
  pagination: 'e2e/src/pagination.test.ts',
  properties: 'e2e/src/properties.test.ts',
  kindsProperties: 'e2e/src/kinds-properties.test.ts',
  oldRevisions: 'e2e/src/old-revisions.test.ts',
  badInput: 'e2e/src/system/bad-input.ts',
  clients: 'e2e/src/system/clients.ts',
  wire: 'e2e/src/requirements/wire.test.ts',
  service: 'libs/service/src/service.test.ts',
  kit: 'libs/mcp-kit/src/serve-mcp.test.ts',
  kitResources: 'libs/mcp-kit/src/resources.test.ts',
  callRules: 'libs/testing/src/contract/call-rules.ts',
  definitionRules: 'libs/testing/src/contract/definition-rules.ts',
  wireRules: 'libs/testing/src/contract/wire-rules.ts',
} as const;

/** The tests that hold the conformance scenarios to their verdicts. */
export const CONFORMANCE = {
  file: 'e2e/src/conformance.test.ts',
  titles: ['asked directly, the fixture passes everything', 'every check has the verdict that it has directly'],
} as const;

/** A test as proof. */
export function test(file: keyof typeof FILE, title: string): Proof {
  return { kind: 'test', file: FILE[file], title };
}

/** A conformance scenario as proof. */
export function scenario(name: string): Proof {
  return { kind: 'scenario', scenario: name };
}

/** What is not proven, and why. */
export function exception(reason: string): Proof {
  return { kind: 'exception', reason };
}

/** Proves several rows: what of a request goes to an upstream. */
export const OWN_HEADERS = test(
  'gateway',
  'only listed headers travel to the upstream, with its own credential and never the client',
);
/** Proves several rows: nothing of a message changes that need not. */
export const BYTES = test('properties', 'generated calls and results pass byte for byte, answered as ');
