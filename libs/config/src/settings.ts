/**
 * Settings of a process, each from one environment variable, its `<NAME>_FILE` twin or a command line flag.
 * Owns reading, validating and redacting; what the settings are is the business of each app's `config.ts`.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { z } from 'zod';
import { ConfigError } from './config-error.ts';

/** One setting. Its schema gets the text of the variable, file or flag, or undefined when none is set. */
export interface Setting<Schema extends z.ZodType = z.ZodType> {
  /** Environment variable; `<env>_FILE` names a file that holds the value instead. */
  env: string;
  /** Command line flag without the dashes; it wins over the environment. */
  flag?: string;
  schema: Schema;
  /** Never printed, not even in an error. */
  secret?: boolean;
}

/** Where settings are read from; `readFile` is for `<NAME>_FILE`. */
export interface SettingSources {
  env: Readonly<Record<string, string | undefined>>;
  /** Command line arguments after the script's name. */
  argv?: readonly string[];
  readFile?: (path: string) => string;
}

/** The values of a table of settings. */
export type SettingValues<Table extends Record<string, Setting>> = {
  [Key in keyof Table]: z.output<Table[Key]['schema']>;
};

/** Reads and validates all settings. Throws one {@link ConfigError} that lists every problem. */
export function loadSettings<Table extends Record<string, Setting>>(
  table: Table,
  sources: SettingSources,
): SettingValues<Table> {
  const problems: string[] = [];
  const flags = readFlags(table, sources.argv ?? [], problems);
  const values: Record<string, unknown> = {};
  for (const [key, setting] of Object.entries(table)) {
    const found = readSetting(setting, flags, sources, problems);
    const parsed = setting.schema.safeParse(found?.text);
    if (parsed.success) values[key] = parsed.data;
    else if (found || !problems.some((problem) => problem.startsWith(setting.env))) {
      problems.push(describe(setting, found, parsed.error.issues[0]?.message ?? 'is not valid'));
    }
  }
  if (problems.length > 0) throw new ConfigError('The configuration', problems);
  return values as SettingValues<Table>;
}

interface Found {
  text: string;
  /** How the person wrote it: `POSTGRES_URL`, `POSTGRES_URL_FILE` or `--port`. */
  name: string;
}

function describe(setting: Setting, found: Found | undefined, message: string): string {
  if (!found) return `${setting.env}: ${message}`;
  const shown = setting.secret ? '(its value is not shown)' : `is ${JSON.stringify(found.text)}`;
  return `${found.name} ${shown}: ${message}`;
}

function readFlags(table: Record<string, Setting>, argv: readonly string[], problems: string[]): Map<string, string> {
  const known = Object.values(table).flatMap((setting) => (setting.flag ? [setting.flag] : []));
  const options = Object.fromEntries(known.map((flag) => [flag, { type: 'string' as const }]));
  const { tokens } = parseArgs({ args: [...argv], options, strict: false, tokens: true });
  const flags = new Map<string, string>();
  for (const token of tokens) {
    if (token.kind === 'positional')
      problems.push(`${JSON.stringify(token.value)}: this is not a flag; flags start with --`);
    if (token.kind !== 'option') continue;
    if (!known.includes(token.name)) {
      problems.push(`${token.rawName}: there is no such flag; known: ${known.map((flag) => `--${flag}`).join(', ')}`);
    } else if (token.value === undefined) problems.push(`${token.rawName}: it needs a value`);
    else flags.set(token.name, token.value);
  }
  return flags;
}

function readSetting(
  setting: Setting,
  flags: ReadonlyMap<string, string>,
  sources: SettingSources,
  problems: string[],
): Found | undefined {
  const flag = setting.flag === undefined ? undefined : flags.get(setting.flag);
  if (flag !== undefined) return { text: flag, name: `--${setting.flag}` };
  const direct = sources.env[setting.env];
  const fileName = `${setting.env}_FILE`;
  const path = sources.env[fileName];
  if (direct && path) problems.push(`${setting.env}: ${fileName} is set too; set one of them`);
  if (direct) return { text: direct, name: setting.env };
  if (!path) return undefined;
  try {
    const readFile = sources.readFile ?? ((file: string) => readFileSync(file, 'utf8'));
    return { text: readFile(path).replace(/\r?\n$/, ''), name: fileName };
  } catch (error) {
    problems.push(`${setting.env}: the file ${path} named by ${fileName} cannot be read (${errorCode(error)})`);
    return undefined;
  }
}

function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
