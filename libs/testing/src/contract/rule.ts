import { AssertionError } from 'node:assert';

/** The server under test and what is expected of it, as every rule gets it. */
export interface ContractSubject {
  /** The MCP endpoint. */
  url: URL;
  expectedTools: readonly string[];
  maxDefinitionTokens: number;
  callExamples: readonly CallExample[];
  /** `table`: the form of every database tool, `{columns, rows, rowCount, truncated}`. */
  resultForm: 'table' | 'any';
  /** The size of the body that must be refused. */
  oversizedBodyBytes: number;
}

/** A call that must succeed. */
export interface CallExample {
  name: string;
  arguments?: Record<string, unknown>;
  /** Further assertions on the structured content. */
  check?: (structuredContent: unknown) => void;
}

/** One rule of the contract. `check` throws when the server breaks it. */
export interface ContractRule {
  /** A sentence about what the server does. */
  rule: string;
  why: string;
  check: (subject: ContractSubject) => Promise<void>;
}

/** Runs every rule and gives a line for each one that is broken. */
export async function findBrokenRules(rules: readonly ContractRule[], subject: ContractSubject): Promise<string[]> {
  const broken: string[] = [];
  for (const { rule, why, check } of rules) {
    try {
      await check(subject);
    } catch (error) {
      broken.push(`- ${rule} (${why})\n    ${describe(error).replaceAll('\n', '\n    ')}`);
    }
  }
  return broken;
}

function describe(error: unknown): string {
  if (error instanceof AssertionError) return error.message;
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause instanceof Error ? ` (${error.cause.message})` : '';
  return `${error.name}: ${error.message}${cause}`;
}
