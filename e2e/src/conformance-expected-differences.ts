/**
 * Checks of the conformance suite whose verdict differs between a server and the gateway in front of it. A check that is
 * listed and does not differ any more fails the test, as does one that differs and is not listed.
 */
import type { Revision } from './conformance-run.ts';

/** What stands behind the gateway. */
export type Setting = 'one upstream' | 'a second, prefixed upstream' | 'an upstream that knows sessions only';

/** One cause, and the verdicts through the gateway that it explains. */
export interface ExpectedDifference {
  settings: readonly Setting[];
  revisions: readonly Revision[];
  why: string;
  /** `scenario:check-id` → the verdict through the gateway; `absent` when the suite does not get that far. */
  checks: Readonly<Record<string, string>>;
}

const ALL: readonly Setting[] = ['one upstream', 'a second, prefixed upstream', 'an upstream that knows sessions only'];

/** Every difference that there is. Between a client and an upstream that both speak 2026-07-28 there is none. */
export const EXPECTED_DIFFERENCES: readonly ExpectedDifference[] = [
  {
    settings: ALL,
    revisions: ['2025-11-25'],
    why:
      'Replicas need no affinity because nothing is kept between the requests of a legacy client: not what it can be ' +
      'asked, and not where its answer would belong. A tool that asks gets no answer, and says so in its result.',
    checks: {
      'elicitation-sep1034-defaults:elicitation-sep1034-general': 'FAILURE',
      'elicitation-sep1034-defaults:elicitation-sep1034-boolean-default': 'absent',
      'elicitation-sep1034-defaults:elicitation-sep1034-enum-default': 'absent',
      'elicitation-sep1034-defaults:elicitation-sep1034-integer-default': 'absent',
      'elicitation-sep1034-defaults:elicitation-sep1034-number-default': 'absent',
      'elicitation-sep1034-defaults:elicitation-sep1034-string-default': 'absent',
      'elicitation-sep1330-enums:elicitation-sep1330-general': 'FAILURE',
      'elicitation-sep1330-enums:elicitation-sep1330-legacy-enumnames': 'absent',
      'elicitation-sep1330-enums:elicitation-sep1330-titled-multi': 'absent',
      'elicitation-sep1330-enums:elicitation-sep1330-titled-single': 'absent',
      'elicitation-sep1330-enums:elicitation-sep1330-untitled-multi': 'absent',
      'elicitation-sep1330-enums:elicitation-sep1330-untitled-single': 'absent',
    },
  },
  {
    settings: ALL,
    revisions: ['2025-11-25', '2025-06-18'],
    why: 'The same; older revisions are asked less.',
    checks: {
      'tools-call-elicitation:tools-call-elicitation': 'FAILURE',
      'tools-call-sampling:tools-call-sampling': 'FAILURE',
    },
  },
  {
    settings: ALL,
    revisions: ['2025-11-25', '2025-06-18'],
    why: 'There is no session that could end; the suite asks this of servers that keep sessions.',
    checks: {
      'server-session-lifecycle:server-session-delete-accepted': 'SKIPPED',
      'server-session-lifecycle:server-session-terminated-returns-404': 'SKIPPED',
    },
  },
  {
    settings: ALL,
    revisions: ['2025-11-25'],
    why: 'A list is answered in plain JSON, where the fixture with a session answers on a stream.',
    checks: { 'server-sse-multiple-streams:server-sse-streams-functional': 'INFO' },
  },
  {
    settings: ['an upstream that knows sessions only'],
    revisions: ['2025-11-25'],
    why: 'The bridge answers in plain JSON when nothing came before the answer; the suite looks at streams only.',
    checks: {
      'server-sse-polling:incoming-sse-event': 'absent',
      'server-sse-polling:server-sse-content-type': 'INFO',
      'server-sse-polling:server-sse-disconnect-resume': 'absent',
      'server-sse-polling:server-sse-priming-event': 'absent',
      'server-sse-polling:server-sse-retry-field': 'absent',
      'server-sse-polling:stream-closed': 'absent',
    },
  },
  {
    settings: ['an upstream that knows sessions only'],
    revisions: ['2026-07-28'],
    why:
      "All clients share the gateway's one session, so its server is told that nobody can be asked. A tool that asks " +
      'answers with an error result, and round trips with more input do not come about.',
    checks: {
      'input-required-result-basic-elicitation:sep-2322-elicitation-incomplete': 'FAILURE',
      'input-required-result-basic-elicitation:sep-2322-elicitation-complete': 'absent',
      'input-required-result-basic-list-roots:sep-2322-list-roots-incomplete': 'FAILURE',
      'input-required-result-basic-list-roots:sep-2322-list-roots-complete': 'absent',
      'input-required-result-basic-sampling:sep-2322-sampling-incomplete': 'FAILURE',
      'input-required-result-basic-sampling:sep-2322-sampling-complete': 'absent',
      'input-required-result-capability-check:sep-2322-respect-client-capabilities': 'FAILURE',
      'input-required-result-missing-input-response:sep-2322-missing-response-rerequests': 'WARNING',
      'input-required-result-multi-round:sep-2322-multi-round-r1': 'FAILURE',
      'input-required-result-multi-round:sep-2322-multi-round-r2': 'absent',
      'input-required-result-multi-round:sep-2322-multi-round-r3': 'absent',
      'input-required-result-multiple-input-requests:sep-2322-multiple-inputs-incomplete': 'FAILURE',
      'input-required-result-multiple-input-requests:sep-2322-multiple-inputs-complete': 'absent',
      'input-required-result-non-tool-request:sep-2322-non-tool-incomplete': 'FAILURE',
      'input-required-result-non-tool-request:sep-2322-non-tool-complete': 'absent',
      'input-required-result-request-state:sep-2322-request-state-incomplete': 'FAILURE',
      'input-required-result-request-state:sep-2322-request-state-complete': 'absent',
      'input-required-result-result-type:sep-2322-result-type-included': 'FAILURE',
      'input-required-result-tampered-state:sep-2322-reject-tampered-state': 'FAILURE',
      'input-required-result-validate-input:sep-2322-error-on-protocol-error': 'WARNING',
      'input-required-result-validate-input:sep-2322-validate-input-responses': 'WARNING',
      'server-stateless:sep-2575-missing-capability-http-400': 'FAILURE',
      'server-stateless:sep-2575-server-rejects-undeclared-capability': 'FAILURE',
    },
  },
];
