import { parseArgs } from 'node:util';

/** What `npm start` was asked for. */
export interface LocalOptions {
  /** Port of the gateway; the servers take the next three. */
  port: number;
  /** Where the embedded databases keep their data; undefined keeps none. */
  dataDirectory: string | undefined;
  sample: boolean;
  postgresUrl: string | undefined;
  qdrantUrl: string | undefined;
  neo4jUri: string | undefined;
}

/** The text of `--help`. */
export const USAGE = `Starts the gateway, the three database servers and, where none is given, embedded databases with sample data.

npm start -- [flags]
  --port N             port of the gateway (default 8000); the servers take the next three
  --data DIR           folder for the data of the embedded databases (default .data)
  --ephemeral          keep no data: temporary folders that are gone at the end
  --no-sample          load no sample data
  --postgres-url URL   use this PostgreSQL instead of an embedded one (or POSTGRES_URL in the environment, which ps does not show)
  --qdrant-url URL     use this Qdrant instead (or QDRANT_URL; QDRANT_API_KEY for its key)
  --neo4j-uri URI      use this Neo4j instead (or NEO4J_URI; NEO4J_USERNAME and NEO4J_PASSWORD for its login)
  --help               this text`;

const HIGHEST_GATEWAY_PORT = 65_532;

/** The options, or the problems with the flags in the words of the person who typed them, or a wish for help. */
export type ParsedOptions =
  { kind: 'options'; options: LocalOptions } | { kind: 'problems'; problems: string[] } | { kind: 'help' };

/** Reads the flags; a database's address may come from the environment too. */
export function parseOptions(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): ParsedOptions {
  let values;
  try {
    values = parseFlags(argv);
  } catch (error) {
    return { kind: 'problems', problems: [error instanceof Error ? error.message : String(error)] };
  }
  if (values.help) return { kind: 'help' };
  const problems: string[] = [];
  const port = Number(values.port ?? '8000');
  if (!Number.isInteger(port) || port < 1 || port > HIGHEST_GATEWAY_PORT) {
    problems.push(
      `--port is ${JSON.stringify(values.port)}: it must be a whole number from 1 to ${HIGHEST_GATEWAY_PORT}`,
    );
  }
  if (values.ephemeral && values.data !== undefined)
    problems.push('--data and --ephemeral exclude each other: choose one');
  const postgresUrl = values['postgres-url'] ?? present(env['POSTGRES_URL']);
  const qdrantUrl = values['qdrant-url'] ?? present(env['QDRANT_URL']);
  const neo4jUri = values['neo4j-uri'] ?? present(env['NEO4J_URI']);
  checkScheme(problems, '--postgres-url', postgresUrl, ['postgres:', 'postgresql:']);
  checkScheme(problems, '--qdrant-url', qdrantUrl, ['http:', 'https:']);
  checkScheme(problems, '--neo4j-uri', neo4jUri, ['bolt:', 'bolt+s:', 'bolt+ssc:', 'neo4j:', 'neo4j+s:', 'neo4j+ssc:']);
  if (problems.length > 0) return { kind: 'problems', problems };
  const dataDirectory = values.ephemeral ? undefined : (values.data ?? '.data');
  const sample = !values['no-sample'];
  return { kind: 'options', options: { port, dataDirectory, sample, postgresUrl, qdrantUrl, neo4jUri } };
}

function parseFlags(argv: readonly string[]) {
  return parseArgs({
    args: [...argv],
    options: {
      port: { type: 'string' },
      data: { type: 'string' },
      ephemeral: { type: 'boolean' },
      'no-sample': { type: 'boolean' },
      'postgres-url': { type: 'string' },
      'qdrant-url': { type: 'string' },
      'neo4j-uri': { type: 'string' },
      help: { type: 'boolean' },
    },
  }).values;
}

function present(value: string | undefined): string | undefined {
  return value === '' ? undefined : value;
}

/** The value is not repeated: it may hold a password. */
function checkScheme(problems: string[], flag: string, value: string | undefined, schemes: readonly string[]): void {
  if (value === undefined) return;
  if (!URL.canParse(value) || !schemes.includes(new URL(value).protocol)) {
    problems.push(`${flag} is not a URL that begins with ${schemes.map((scheme) => `${scheme}//`).join(' or ')}`);
  }
}
