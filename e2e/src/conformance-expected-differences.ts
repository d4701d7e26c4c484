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

/** Every difference that there is. Between a client and an upstream that speak the same revision there is none. */
export const EXPECTED_DIFFERENCES: readonly ExpectedDifference[] = [
  {
    settings: ['an upstream that knows sessions only'],
    revisions: ['2026-07-28'],
    why:
      "What a server of the older revisions asks is a request with an id of its own and no name; the suite's scenarios " +
      'look for the name that their tool gives to a question, or answer it before they are asked.',
    checks: {
      'input-required-result-basic-elicitation:sep-2322-elicitation-complete': 'absent',
      'input-required-result-basic-elicitation:sep-2322-elicitation-incomplete': 'FAILURE',
      'input-required-result-ignore-extra-params:sep-2322-ignore-unexpected-params': 'WARNING',
    },
  },
  {
    settings: ['an upstream that knows sessions only'],
    revisions: ['2026-07-28'],
    why: 'The older revisions have no error for a capability that the client lacks: the tool answers with an error result.',
    checks: {
      'server-stateless:sep-2575-missing-capability-http-400': 'FAILURE',
      'server-stateless:sep-2575-server-rejects-undeclared-capability': 'FAILURE',
    },
  },
];
