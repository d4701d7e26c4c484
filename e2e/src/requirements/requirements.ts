/**
 * The requirements manifest: every row of the two checklists, S for servers and G for the gateway, with the tests that
 * prove it. `requirements.test.ts` fails on a row without proof or reason, and on proof that does not exist.
 */
import { CALL_REQUIREMENTS } from './call-requirements.ts';
import { FEATURE_REQUIREMENTS } from './feature-requirements.ts';
import { GATEWAY_REQUIREMENTS } from './gateway-requirements.ts';
import type { Requirement } from './manifest.ts';
import { WIRE_REQUIREMENTS } from './wire-requirements.ts';

/** All of them, in order. */
export const REQUIREMENTS: readonly Requirement[] = [
  ...WIRE_REQUIREMENTS,
  ...FEATURE_REQUIREMENTS,
  ...GATEWAY_REQUIREMENTS,
  ...CALL_REQUIREMENTS,
];
