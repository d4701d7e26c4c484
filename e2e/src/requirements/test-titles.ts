import { existsSync, readFileSync } from 'node:fs';

/** What a file of tests calls its tests. */
export interface TestTitles {
  /** Titles without inserted values. */
  whole: ReadonlySet<string>;
  /** The fixed parts of the others. */
  parts: readonly string[];
}

/** A title, or the name of a rule of the server contract, in any of the three quotes. */
const TITLE = /(?:\b(?:test|suite)\(\s*|\brule:\s*)(['"`])((?:\\.|(?!\1)[^\\])*)\1/gs;
/** A few letters would be found anywhere. */
const MIN_PART = 12;

/** Reads the titles of a file; undefined when there is no such file. */
export function readTestTitles(path: string): TestTitles | undefined {
  if (!existsSync(path)) return undefined;
  const whole = new Set<string>();
  const parts: string[] = [];
  for (const [, quote, source = ''] of readFileSync(path, 'utf8').matchAll(TITLE)) {
    const title = source.replaceAll(/\\(.)/g, '$1');
    if (quote === '`' && title.includes('${')) parts.push(...title.split(/\$\{[^}]*\}/));
    else whole.add(title);
  }
  return { whole, parts };
}

/** Whether a test has this title, or begins with it, or has it between its inserted values. */
export function hasTest({ whole, parts }: TestTitles, title: string): boolean {
  if (whole.has(title)) return true;
  if (title.length < MIN_PART) return false;
  return parts.some((part) => part.includes(title)) || [...whole].some((each) => each.startsWith(title));
}
