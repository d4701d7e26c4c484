/** A configuration file in YAML (or JSON, which YAML contains), with `${NAME}` taken from the environment. */
import { readFileSync } from 'node:fs';
import { LineCounter, parseDocument, visit, type Document } from 'yaml';
import type { z } from 'zod';
import { ConfigError } from './config-error.ts';

/** Reads, substitutes and validates the file. Throws one {@link ConfigError} that lists every problem with its line. */
export function loadConfigFile<Schema extends z.ZodType>(
  path: string,
  schema: Schema,
  env: Readonly<Record<string, string | undefined>>,
): z.output<Schema> {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    throw new ConfigError(path, [`the file cannot be read (${reason})`]);
  }
  return parseConfigFile(path, text, schema, env);
}

/** The part of {@link loadConfigFile} that touches no file. */
export function parseConfigFile<Schema extends z.ZodType>(
  path: string,
  text: string,
  schema: Schema,
  env: Readonly<Record<string, string | undefined>>,
): z.output<Schema> {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const problems = document.errors.map((error) => `line ${lines.linePos(error.pos[0]).line}: ${error.message}`);
  if (problems.length > 0) throw new ConfigError(path, problems);
  substitute(document, env, (offset, name) => {
    problems.push(`line ${lines.linePos(offset).line}: the environment variable ${name} is not set`);
  });
  const parsed = schema.safeParse(document.toJS());
  if (parsed.success && problems.length === 0) return parsed.data;
  for (const issue of parsed.error?.issues ?? [])
    problems.push(`${locate(document, lines, issue.path)}${issue.message}`);
  throw new ConfigError(path, problems);
}

const VARIABLE = /\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g;

/** Replaces `${NAME}` in string scalars after parsing, so that a value can never change the file's structure. */
function substitute(
  document: Document,
  env: Readonly<Record<string, string | undefined>>,
  onMissing: (offset: number, name: string) => void,
): void {
  visit(document, {
    Scalar(_key, node) {
      if (typeof node.value !== 'string') return;
      node.value = node.value.replace(VARIABLE, (_whole, name: string) => {
        const value = env[name];
        if (value === undefined) onMissing(node.range?.[0] ?? 0, name);
        return value ?? '';
      });
    },
  });
}

/** `line 4, upstreams[0].url: `, from the nearest node that exists (a missing key is reported at its parent). */
function locate(document: Document, lines: LineCounter, path: readonly PropertyKey[]): string {
  const name = path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    return text ? `${text}.${String(part)}` : String(part);
  }, '');
  for (let length = path.length; length >= 0; length--) {
    const node = document.getIn(path.slice(0, length), true) as { range?: [number, number, number] } | undefined;
    if (node?.range) {
      const line = lines.linePos(node.range[0]).line;
      return name ? `line ${line}, ${name}: ` : `line ${line}: `;
    }
  }
  return name ? `${name}: ` : '';
}
