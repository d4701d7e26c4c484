/** What a check of the database's health found. */

/** The most pressing first. */
export const SEVERITIES = ['critical', 'warning', 'info', 'not run', 'ok'] as const;

/** How pressing a finding is; `not run` says what is missing to check. */
export type Severity = (typeof SEVERITIES)[number];

/** One finding. */
export interface Finding {
  severity: Severity;
  finding: string;
  /** The figures behind it. */
  evidence?: string;
  /** SQL that mends it, or who can. */
  fix?: string;
}

/** What is known of the server before any check. */
export interface ServerFacts {
  /** As it is written in SQL. */
  role: string;
  /** It sees the sessions and statements of other roles. */
  seesAllSessions: boolean;
  /** The schema of pg_stat_statements, as it is written in SQL; undefined when it is not installed in this database. */
  statementsSchema?: string;
}

/** One check: SQL that gives a row (severity, finding, evidence, fix) for each finding. */
export interface HealthCheck {
  /** Undefined when it cannot be run; then `missing` says why. */
  sql(facts: ServerFacts): string | undefined;
  /** What cannot be seen, and how it could. */
  missing?(facts: ServerFacts): Finding[];
  /** Said when there is nothing to report. */
  ok: string;
}

/** Most findings of one kind; the worst come first. */
export const MAX_FINDINGS = 10;

/** `'a''b'` and `$tag$…$tag$`; one that was cut inside ends with the text. */
const STRINGS = String.raw`$r$'(?:[^']|'')*(?:'|$)$r$`;
const DOLLAR_STRINGS = String.raw`$r$\$(\w*)\$.*?(?:\$\1\$|$)$r$`;

/** SQL that shows the beginning of a statement in one line, without its strings, which may be passwords (ALTER ROLE). */
export function shownStatement(column: string, characters: number): string {
  const replaced = [STRINGS, DOLLAR_STRINGS].reduce(
    (text, pattern) => `pg_catalog.regexp_replace(${text}, ${pattern}, '…', 'g')`,
    column,
  );
  return String.raw`pg_catalog.left(pg_catalog.regexp_replace(${replaced}, '\s+', ' ', 'g'), ${characters})`;
}

/** Said by every check for which the role sees too little. */
export function needsMonitorRole({ role }: ServerFacts, what: string): Finding {
  return {
    severity: 'not run',
    finding: `${what} cannot be seen: the role may not look at the sessions and statements of other roles.`,
    fix: `GRANT pg_monitor TO ${role};`,
  };
}
