/**
 * Merges the lists of all upstreams into what clients see: the table of published names, and the pages of `tools/list`
 * as bytes. Pure, and the same bytes in every process that has the same lists.
 */
import { createHash } from 'node:crypto';
import type { HubTool } from '../hub-tools.ts';
import type { ToolSource } from './fetch-lists.ts';
import { toPublishedName } from './published-names.ts';

/** Where a published name leads. `upstreamName` differs from it when the prefix must be stripped on the way up. */
export type Route = { kind: 'hub'; tool: HubTool } | { kind: 'upstream'; upstream: string; upstreamName: string };

/** The lists of one upstream, in the order of the configuration. */
export interface MergeInput {
  name: string;
  prefix: string;
  tools: readonly ToolSource[];
}

/** Two tools that would have the same published name; the first keeps it. */
export interface Collision {
  published: string;
  /** `the gateway itself`, or the name of an upstream. */
  first: string;
  second: string;
}

/** One page: the part of the result that is the same for all eras, as text without braces. */
export interface ListPage {
  fields: Buffer;
}

/** What clients see. */
export interface MergedList {
  routes: ReadonlyMap<string, Route>;
  /** By cursor; the first page has the cursor undefined. */
  pages: ReadonlyMap<string | undefined, ListPage>;
  /** Published names by upstream, sorted. */
  namesByUpstream: ReadonlyMap<string, readonly string[]>;
  collisions: readonly Collision[];
  warnings: readonly string[];
  /** Differs when anything in the list differs. */
  version: string;
}

/** How the gateway's own tools are called in messages. */
export const HUB_OWNER = 'the gateway itself';
/** Real installations have tens of tools; one page serves them without a second request. */
const TOOLS_PER_PAGE = 1_000;
/** Enough of the hash that an old cursor is known as such. */
const VERSION_CHARS = 16;

interface Entry {
  published: string;
  text: Buffer;
}

/** Merges: hub tools first, then by configuration order, then by name. */
export function mergeLists(hubTools: readonly HubTool[], inputs: readonly MergeInput[]): MergedList {
  const routes = new Map<string, Route>();
  const entries: Entry[] = [];
  const collisions: Collision[] = [];
  const warnings: string[] = [];
  const namesByUpstream = new Map<string, readonly string[]>();
  for (const tool of hubTools) {
    routes.set(tool.name, { kind: 'hub', tool });
    entries.push({ published: tool.name, text: Buffer.from(tool.text) });
  }
  for (const input of inputs) {
    const added: Entry[] = [];
    for (const tool of input.tools) {
      const { name: published, altered } = toPublishedName(input.prefix, tool.name);
      const taken = routes.get(published);
      if (taken) {
        collisions.push({ published, first: taken.kind === 'hub' ? HUB_OWNER : taken.upstream, second: input.name });
        continue;
      }
      if (altered) warnings.push(describeAltered(input.name, tool.name, published, altered));
      routes.set(published, { kind: 'upstream', upstream: input.name, upstreamName: tool.name });
      added.push({ published, text: rename(tool, published) });
    }
    added.sort((a, b) => (a.published < b.published ? -1 : 1));
    namesByUpstream.set(
      input.name,
      added.map((entry) => entry.published),
    );
    entries.push(...added);
  }
  const version = hashOf(entries);
  return { routes, pages: toPages(entries, version), namesByUpstream, collisions, warnings, version };
}

/** The collision as one sentence for an operator. */
export function describeCollision({ published, first, second }: Collision): string {
  const owner = (name: string): string => (name === HUB_OWNER ? name : `upstream ${JSON.stringify(name)}`);
  if (first === second) return `${owner(first)} lists two tools that would both be published as ${published}`;
  return `${owner(first)} and ${owner(second)} would both publish ${published}; give one of them another prefix`;
}

function describeAltered(upstream: string, name: string, published: string, altered: string): string {
  const reason = altered === 'too long' ? 'is too long with its prefix' : 'has characters that clients do not accept';
  return `upstream ${JSON.stringify(upstream)}: the tool name ${JSON.stringify(name)} ${reason}; it is published as ${published}`;
}

function rename(tool: ToolSource, published: string): Buffer {
  if (tool.name === published) return tool.text;
  const { text, nameSpan } = tool;
  const name = Buffer.from(JSON.stringify(published));
  return Buffer.concat([text.subarray(0, nameSpan.start), name, text.subarray(nameSpan.end)]);
}

function hashOf(entries: readonly Entry[]): string {
  const hash = createHash('sha256');
  for (const entry of entries) hash.update(entry.text).update('\n');
  return hash.digest('hex').slice(0, VERSION_CHARS);
}

function toPages(entries: readonly Entry[], version: string): Map<string | undefined, ListPage> {
  const pages = new Map<string | undefined, ListPage>();
  const toCursor = (offset: number): string => Buffer.from(`${version}.${offset}`).toString('base64url');
  for (let offset = 0; offset === 0 || offset < entries.length; offset += TOOLS_PER_PAGE) {
    const parts: Buffer[] = [];
    for (const [index, { text }] of entries.slice(offset, offset + TOOLS_PER_PAGE).entries()) {
      parts.push(Buffer.from(index === 0 ? '' : ','), text);
    }
    const next = offset + TOOLS_PER_PAGE;
    const tail = next < entries.length ? `],"nextCursor":${JSON.stringify(toCursor(next))}` : ']';
    const fields = Buffer.concat([Buffer.from('"tools":['), ...parts, Buffer.from(tail)]);
    pages.set(offset === 0 ? undefined : toCursor(offset), { fields });
  }
  return pages;
}
