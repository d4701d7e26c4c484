/**
 * Keeps the last lists of each upstream in files, so that a gateway that starts while an upstream is down still lists
 * its tools. Holds what clients may see anyway, never a credential; files are readable by their owner alone, because a
 * private list is not everybody's. What is wrong with a file is told, and the file counts as absent.
 */
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { LOG_FIELD, type Logger } from '@database-mcp/telemetry';
import { withoutCredentials, type UpstreamConfig } from '../config.ts';
import { isObject, type JsonObject } from '../protocol.ts';
import type { Freshness, UpstreamLists } from './fetch-lists.ts';
import { forEachKind } from './kinds.ts';
import { readItems, type ListItem } from './list-items.ts';

/** The files of one gateway. */
export interface ListStore {
  load(config: UpstreamConfig): Promise<UpstreamLists | undefined>;
  /** Returns at once; the file is written in the background, only when the lists are others than the last ones. */
  save(config: UpstreamConfig, lists: UpstreamLists): void;
  /** Resolves when what was saved so far is written. */
  settled(): Promise<void>;
}

/** Raised when files of before can no longer be read. */
const FORMAT = 1;
/** All lists of one upstream together. */
const MAX_FILE_BYTES = 64 * 1024 * 1024;
const OWNER_ONLY = 0o600;
const OWNER_ONLY_DIRECTORY = 0o700;

/** Creates the store; the directory is made when it is first needed. */
export function createListStore(directory: string, logger: Logger): ListStore {
  /** By upstream: the text that the file holds. */
  const written = new Map<string, string>();
  let queue = Promise.resolve();
  const tell = (config: UpstreamConfig, error: unknown, text: string): void =>
    logger.warn({ err: error, [LOG_FIELD.UPSTREAM]: config.name, directory }, text);
  return {
    load: async (config) => {
      try {
        const text = await readBounded(toPath(directory, config));
        if (text === undefined) return undefined;
        const lists = parse(text, config);
        if (lists) written.set(config.name, text);
        return lists;
      } catch (error) {
        tell(config, error, 'the kept lists of an upstream cannot be used; they are fetched anew when it is up');
        return undefined;
      }
    },
    save: (config, lists) => {
      const text = toText(config, lists);
      if (written.get(config.name) === text) return;
      written.set(config.name, text);
      queue = queue
        .then(() => write(directory, toPath(directory, config), text))
        .catch((error: unknown) => {
          written.delete(config.name);
          tell(config, error, 'the lists of an upstream cannot be kept; the gateway must be able to write there');
        });
    },
    settled: () => queue,
  };
}

/** Upstream names hold nothing that a file name cannot. */
function toPath(directory: string, { name }: UpstreamConfig): string {
  return join(directory, `${name}.json`);
}

/** Lists belong to one server; under another address the same name may be another one. The address itself stays out. */
function toSource({ name, url }: UpstreamConfig): string {
  return createHash('sha256')
    .update(`${name}\n${url === undefined ? '' : withoutCredentials(url)}`)
    .digest('hex');
}

function toText(config: UpstreamConfig, lists: UpstreamLists): string {
  const { capabilities, freshness, instructions, problems } = lists;
  // Items are kept as their source text: numbers and key order must survive.
  const items = forEachKind(({ kind }) => lists.items[kind].map(({ text }) => text.toString('utf8')));
  return JSON.stringify({
    format: FORMAT,
    source: toSource(config),
    capabilities,
    instructions,
    freshness,
    problems,
    items,
  });
}

/** Undefined: the file is of another server or of another version of this program. Throws for one that is damaged. */
function parse(text: string, config: UpstreamConfig): UpstreamLists | undefined {
  const kept: unknown = JSON.parse(text);
  if (!isObject(kept)) throw new Error('the file holds no object');
  if (kept['format'] !== FORMAT || kept['source'] !== toSource(config)) return undefined;
  const { capabilities, instructions, freshness, problems, items } = kept;
  if (!isObject(items) || !isObject(freshness) || !Array.isArray(problems)) throw new Error('members are missing');
  const given = freshness;
  const lists: UpstreamLists = {
    items: forEachKind((spec) => readKept(spec, items)),
    freshness: { ...forEachKind(({ kind }) => readFreshness(given[kind])), discover: readFreshness(given['discover']) },
    problems: problems.map(String),
  };
  if (isObject(capabilities)) lists.capabilities = capabilities;
  if (typeof instructions === 'string') lists.instructions = instructions;
  return lists;
}

function readKept(spec: Parameters<typeof readItems>[0], items: JsonObject): readonly ListItem[] {
  const texts = items[spec.kind];
  if (!Array.isArray(texts)) throw new Error(`the ${spec.kind} are missing`);
  const array = `[${texts.map(String).join(',')}]`;
  const read = readItems(spec, JSON.parse(array), Buffer.from(array));
  if (read.problems.length > 0 || read.items.length !== texts.length) throw new Error(`the ${spec.kind} are damaged`);
  return read.items;
}

function readFreshness(value: unknown): Freshness {
  const { ttlMs, cacheScope } = isObject(value) ? value : {};
  const scope = cacheScope === 'public' ? 'public' : 'private';
  return typeof ttlMs === 'number' ? { ttlMs, cacheScope: scope } : { cacheScope: scope };
}

async function readBounded(path: string): Promise<string | undefined> {
  try {
    const { size } = await stat(path);
    if (size > MAX_FILE_BYTES) throw new Error(`the file is larger than ${MAX_FILE_BYTES} bytes`);
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** All or nothing: a reader (or a process that ends in between) never meets half a file. */
async function write(directory: string, path: string, text: string): Promise<void> {
  if (Buffer.byteLength(text) > MAX_FILE_BYTES) throw new Error(`the lists are larger than ${MAX_FILE_BYTES} bytes`);
  await mkdir(directory, { recursive: true, mode: OWNER_ONLY_DIRECTORY });
  const draft = `${path}.${randomUUID()}.draft`;
  try {
    const file = await open(draft, 'wx', OWNER_ONLY);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
}
