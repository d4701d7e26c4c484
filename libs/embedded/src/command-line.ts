/** What `npm run embedded -- ...` was asked to do. */
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

/** The databases that can be started alone. */
export const DATABASE_KINDS = ['postgres', 'neo4j', 'qdrant'] as const;

/** The name of a database on the command line. */
export type DatabaseKind = (typeof DATABASE_KINDS)[number];

/** A command line that makes sense, or the sentence that says what does not. */
export type CommandLine =
  | {
      kind: 'start';
      database: DatabaseKind;
      port: number | undefined;
      dataDirectory: string | undefined;
      sample: boolean;
    }
  | { kind: 'help' }
  | { kind: 'mistake'; problem: string };

/** How to use the command. */
export const USAGE = `Usage: npm run embedded -- postgres|neo4j|qdrant [--port N] [--data DIR | --ephemeral] [--sample]

  --port N      port on 127.0.0.1 (default: a free one)
  --data DIR    keep the data in DIR (default: .data/<database> in the repository)
  --ephemeral   keep the data in a temporary folder that is removed at the end
  --sample      load the sample data (countries of the world) when they are not there

Connection settings are printed to standard output as NAME=value lines, everything else to standard error.
Ctrl-C ends the database.`;

const DEFAULT_DATA_FOLDER = fileURLToPath(new URL('../../../.data/', import.meta.url));
const HIGHEST_PORT = 65_535;

function isDatabaseKind(word: string): word is DatabaseKind {
  return (DATABASE_KINDS as readonly string[]).includes(word);
}

/** Reads the arguments after `--`; relative folders are meant from the folder that the user is in. */
export function parseCommandLine(args: readonly string[], currentFolder: string): CommandLine {
  let parsed;
  try {
    parsed = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        port: { type: 'string' },
        data: { type: 'string' },
        ephemeral: { type: 'boolean', default: false },
        sample: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
  } catch (error) {
    return { kind: 'mistake', problem: error instanceof Error ? error.message : String(error) };
  }
  const { values, positionals } = parsed;
  if (values.help) return { kind: 'help' };
  const [database = ''] = positionals;
  if (positionals.length !== 1 || !isDatabaseKind(database)) {
    const given = positionals.length === 0 ? 'none was given' : `got: ${positionals.join(' ')}`;
    return { kind: 'mistake', problem: `Name one database, ${DATABASE_KINDS.join(', ')}; ${given}.` };
  }
  if (values.ephemeral && values.data !== undefined) {
    return { kind: 'mistake', problem: '--data and --ephemeral exclude each other; give one of them.' };
  }
  if (values.port !== undefined && !(/^\d+$/.test(values.port) && Number(values.port) <= HIGHEST_PORT)) {
    return {
      kind: 'mistake',
      problem: `--port wants a number from 0 (a free one) to ${HIGHEST_PORT}, got: ${values.port}`,
    };
  }
  return {
    kind: 'start',
    database,
    port: values.port === undefined ? undefined : Number(values.port),
    dataDirectory: values.ephemeral
      ? undefined
      : resolve(currentFolder, values.data ?? `${DEFAULT_DATA_FOLDER}${database}`),
    sample: values.sample,
  };
}
