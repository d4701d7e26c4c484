/**
 * The contract that every database server keeps, as one test: call it with a running server and the tools it should
 * have. The rules themselves are in contract/, by subject; what a tool answers to a given query is each server's own
 * test.
 */
import { AssertionError } from 'node:assert';
import { callRules } from './contract/call-rules.ts';
import { definitionRules } from './contract/definition-rules.ts';
import { findBrokenRules, type ContractSubject } from './contract/rule.ts';
import { wireRules } from './contract/wire-rules.ts';

/** Options of {@link assertServerContract}; all but the tool names have a default. */
export interface ServerContractOptions extends Partial<Omit<ContractSubject, 'url'>> {
  /** The published names, in any order. */
  expectedTools: readonly string[];
}

/** Small enough for a model to carry several servers. */
const MAX_DEFINITION_TOKENS = 1_000;
const OVERSIZED_BODY_BYTES = 20 * 1024 * 1024;

/** Checks a running server against every rule; one error lists all that it breaks. */
export async function assertServerContract(
  server: string | URL | { readonly url: string | undefined },
  options: ServerContractOptions,
): Promise<void> {
  const address = typeof server === 'string' || server instanceof URL ? server : server.url;
  if (address === undefined) throw new Error('The contract test needs a server with a URL; this one serves stdio.');
  const subject: ContractSubject = {
    maxDefinitionTokens: MAX_DEFINITION_TOKENS,
    callExamples: [],
    resultForm: 'table',
    oversizedBodyBytes: OVERSIZED_BODY_BYTES,
    ...options,
    url: new URL(address),
  };
  const broken = await findBrokenRules([...definitionRules, ...callRules, ...wireRules], subject);
  if (broken.length === 0) return;
  const message = `The server at ${subject.url.href} breaks ${broken.length} rule(s) of the contract:\n${broken.join('\n')}`;
  throw new AssertionError({ message });
}
