/** The programs that are compared: the bare driver, our server and the rival, all on the same database. */
import { join } from 'node:path';
import { repositoryRoot } from '@database-mcp/testing';
import { bundleApp } from '../processes.ts';
import { startLineProcess } from './line-process.ts';
import { putLoad, type Load, type LoadResult } from './load.ts';
import type { Query } from './queries.ts';
import { RIVAL, type Rival } from './rival.ts';
import { startStdioClient } from './stdio-client.ts';

/** Who is measured. */
export type TargetName = 'bare pg' | 'postgres-mcp' | typeof RIVAL.name;

/** A program that runs queries. */
export interface Target {
  readonly name: TargetName;
  readonly pid: number;
  drive(query: Query, load: Load): Promise<LoadResult>;
  /** One call whose answer is not looked at; undefined for the bare driver, which is no server. */
  call?(sql: string): Promise<void>;
  /** Bytes of an answer as it was sent; known after the first one. */
  answerBytes(query: Query): number | undefined;
  stop(): Promise<void>;
}

/** Answers differ in the digits of their ids. */
const ID_DIGITS = 12;

/** The same for all: one for each call in flight. */
export const POOL_SIZE = 8;

/** Starts the reference. */
export async function startBareDriver(url: string): Promise<Target> {
  const main = join(repositoryRoot, 'bench/src/postgres/bare-driver-main.ts');
  const lines: ((line: string) => void)[] = [];
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => {});
  const driver = startLineProcess({
    args: [main, url, String(POOL_SIZE)],
    onLine: (line) => lines.shift()?.(line.toString('utf8')),
    onFailure: (reason) => failed.reject(new Error(`the bare driver: ${reason}`)),
  });
  const nextLine = (): Promise<string> =>
    Promise.race([new Promise<string>((resolve) => lines.push(resolve)), failed.promise]);
  await nextLine();
  return {
    name: 'bare pg',
    pid: driver.pid,
    async drive({ sql, rows }, load) {
      const answer = nextLine();
      driver.send(JSON.stringify({ sql, rows, load }));
      return JSON.parse(await answer) as LoadResult;
    },
    answerBytes: () => undefined,
    stop: () => driver.stop(),
  };
}

/** Starts our server as it ships: its bundle, its default settings but for the pool. */
export async function startOurs(url: string): Promise<Target> {
  const bundle = await bundleApp('postgres-mcp');
  const env = { POSTGRES_URL: url, MCP_TRANSPORT: 'stdio', POSTGRES_POOL_SIZE: String(POOL_SIZE) };
  return await startServer('postgres-mcp', [bundle], env, 'postgres_query', countOurRows);
}

/** Starts the rival. */
export async function startRival(rival: Extract<Rival, { kind: 'installed' }>): Promise<Target> {
  return await startServer(RIVAL.name, rival.args, {}, 'execute_sql', countRivalRows);
}

interface Result {
  isError?: boolean;
  content?: { text?: string }[];
  structuredContent?: { rowCount?: number };
}

function countOurRows(result: Result): number | undefined {
  return result.structuredContent?.rowCount;
}

function countRivalRows(result: Result): number | undefined {
  const text = JSON.parse(result.content?.[0]?.text ?? '{}') as { data?: { statements?: { count?: number }[] } };
  return text.data?.statements?.[0]?.count;
}

async function startServer(
  name: TargetName,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  tool: string,
  countRows: (result: Result) => number | undefined,
): Promise<Target> {
  const client = await startStdioClient(args, env);
  const call = (sql: string): Promise<Buffer> => client.request('tools/call', { name: tool, arguments: { sql } });
  const sizes = new Map<Query, number>();
  return {
    name,
    pid: client.pid,
    async drive(query, load) {
      if (!sizes.has(query)) {
        // The first answer is read and understood; the later ones must have its size.
        const answer = await call(query.sql);
        const { result = {} } = JSON.parse(answer.toString('utf8')) as { result?: Result };
        const isRight = result.isError !== true && countRows(result) === query.rows;
        if (!isRight)
          throw new Error(`${name} gave a wrong answer to ${query.name}: ${answer.toString('utf8', 0, 500)}`);
        sizes.set(query, answer.length);
      }
      const size = sizes.get(query) ?? 0;
      const checked = async (): Promise<void> => {
        const answer = await call(query.sql);
        if (Math.abs(answer.length - size) <= ID_DIGITS) return;
        throw new Error(`${name} gave another answer to ${query.name}: ${answer.toString('utf8', 0, 500)}`);
      };
      return await putLoad(checked, load);
    },
    call: async (sql) => void (await call(sql)),
    answerBytes: (query) => sizes.get(query),
    stop: () => client.stop(),
  };
}
