/**
 * Merges the lists of all upstreams into what clients see: the tables of published names, and the pages of each list as
 * bytes. Pure, and the same bytes in every process that has the same lists.
 */
import { createHash } from 'node:crypto';
import type { HubTool } from '../hub-tools.ts';
import { splice } from '../json-spans.ts';
import { forEachKind, LIST_KINDS, type KindSpec, type ListKind } from './kinds.ts';
import type { ListItem } from './list-items.ts';
import { toPublishedName } from './published-names.ts';
import { toPublishedUri } from './published-uris.ts';
import { rewriteListItem } from './rewrite-uris.ts';
import type { Route, UpstreamRoute } from './route.ts';
import { createUriRouter, type UriRouter } from './uri-router.ts';

/** The lists of one upstream, in the order of the configuration. */
export interface MergeInput {
  name: string;
  prefix: string;
  rewriteUris: boolean;
  hasResources: boolean;
  items: Readonly<Record<ListKind, readonly ListItem[]>>;
}

/** Two items that would have the same published name or URI; the first keeps it. */
export interface Collision {
  kind: ListKind;
  published: string;
  /** `the gateway itself`, or the name of an upstream. */
  first: string;
  second: string;
}

/** One page: the part of the result that is the same for all eras, as text without braces. */
export interface ListPage {
  fields: string;
}

/** What clients see of one kind. */
export interface MergedKind {
  /** By published name, URI or URI template. */
  routes: ReadonlyMap<string, UpstreamRoute>;
  /** By cursor; the first page has the cursor undefined. */
  pages: ReadonlyMap<string | undefined, ListPage>;
  /** Differs when anything in the list differs. */
  version: string;
}

/** What clients see. */
export interface MergedList {
  /** Of tools; the gateway's own among them. */
  routes: ReadonlyMap<string, Route>;
  kinds: Readonly<Record<ListKind, MergedKind>>;
  uris: UriRouter;
  /** Published names of tools by upstream, sorted. */
  namesByUpstream: ReadonlyMap<string, readonly string[]>;
  collisions: readonly Collision[];
  warnings: readonly string[];
}

/** How the gateway's own tools are called in messages. */
export const HUB_OWNER = 'the gateway itself';
/** Enough of the hash that an old cursor is known as such. */
const VERSION_CHARS = 16;

interface Entry {
  published: string;
  text: Buffer;
}

/** Merges: hub tools first, then by configuration order, then by name. */
export function mergeLists(hubTools: readonly HubTool[], inputs: readonly MergeInput[], pageSize: number): MergedList {
  const collisions: Collision[] = [];
  const warnings: string[] = [];
  const namesByUpstream = new Map(inputs.map(({ name }): [string, string[]] => [name, []]));
  const hubNames = new Set(hubTools.map(({ name }) => name));
  const kinds = forEachKind((spec): MergedKind => {
    const routes = new Map<string, UpstreamRoute>();
    const isTools = spec.kind === 'tools';
    const entries: Entry[] = isTools
      ? hubTools.map(({ name, text }) => ({ published: name, text: Buffer.from(text) }))
      : [];
    for (const input of inputs) {
      const added: Entry[] = [];
      for (const item of input.items[spec.kind]) {
        const { name: published, altered } = publish(spec, input, item);
        const isHubs = isTools && hubNames.has(published);
        const taken = isHubs ? HUB_OWNER : routes.get(published)?.upstream;
        if (taken !== undefined) {
          collisions.push({ kind: spec.kind, published, first: taken, second: input.name });
          continue;
        }
        if (altered) warnings.push(describeAltered(input.name, item.name, published, altered));
        routes.set(published, toRoute(input, item));
        added.push({ published, text: toPublishedText(input, item, published) });
      }
      added.sort((a, b) => (a.published < b.published ? -1 : 1));
      if (isTools) namesByUpstream.set(input.name, added.map((entry) => entry.published)); // prettier-ignore
      entries.push(...added);
    }
    const version = hashOf(entries);
    return { routes, pages: toPages(spec.member, entries, version, pageSize), version };
  });
  const routes = new Map<string, Route>(hubTools.map((tool) => [tool.name, { kind: 'hub', tool }]));
  for (const [name, route] of kinds.tools.routes) routes.set(name, route);
  const uris = createUriRouter(inputs, kinds.resources.routes, kinds.resourceTemplates.routes);
  return { routes, kinds, uris, namesByUpstream, collisions, warnings };
}

/** The kinds whose lists differ. */
export function findChangedKinds(before: MergedList, after: MergedList): ReadonlySet<ListKind> {
  const changed = LIST_KINDS.filter(({ kind }) => before.kinds[kind].version !== after.kinds[kind].version);
  return new Set(changed.map(({ kind }) => kind));
}

/** The collision as one sentence for an operator. */
export function describeCollision({ kind, published, first, second }: Collision): string {
  const owner = (name: string): string => (name === HUB_OWNER ? name : `upstream ${JSON.stringify(name)}`);
  const isUri = kind === 'resources' || kind === 'resourceTemplates';
  const what = isUri ? 'resources' : kind;
  if (first === second) return `${owner(first)} lists two ${what} that would both be published as ${published}`;
  const remedy = isUri ? 'set rewriteUris: true for one of them' : 'give one of them another prefix';
  return `${owner(first)} and ${owner(second)} would both publish ${published}; ${remedy}`;
}

function describeAltered(upstream: string, name: string, published: string, altered: string): string {
  const reason = altered === 'too long' ? 'is too long with its prefix' : 'has characters that clients do not accept';
  return `upstream ${JSON.stringify(upstream)}: the name ${JSON.stringify(name)} ${reason}; it is published as ${published}`;
}

function publish(spec: KindSpec, input: MergeInput, { name }: ListItem): ReturnType<typeof toPublishedName> {
  if (spec.key === 'name') return toPublishedName(input.prefix, name);
  return { name: input.rewriteUris ? toPublishedUri(input.name, name) : name };
}

function toRoute({ name, rewriteUris }: MergeInput, item: ListItem): UpstreamRoute {
  const route: UpstreamRoute = { kind: 'upstream', upstream: name, upstreamName: item.name };
  if (!rewriteUris && !item.headers) return route;
  return { ...route, special: { headers: item.headers, rewriteUris } };
}

function toPublishedText(input: MergeInput, item: ListItem, published: string): Buffer {
  const { text, nameSpan } = item;
  const renamed = item.name === published ? text : splice(text, nameSpan, JSON.stringify(published));
  return input.rewriteUris ? rewriteListItem(renamed, (uri) => toPublishedUri(input.name, uri)) : renamed;
}

function hashOf(entries: readonly Entry[]): string {
  const hash = createHash('sha256');
  for (const entry of entries) hash.update(entry.text).update('\n');
  return hash.digest('hex').slice(0, VERSION_CHARS);
}

function toPages(
  member: string,
  entries: readonly Entry[],
  version: string,
  pageSize: number,
): Map<string | undefined, ListPage> {
  const pages = new Map<string | undefined, ListPage>();
  const toCursor = (offset: number): string => Buffer.from(`${version}.${offset}`).toString('base64url');
  for (let offset = 0; offset === 0 || offset < entries.length; offset += pageSize) {
    const parts: Buffer[] = [];
    for (const [index, { text }] of entries.slice(offset, offset + pageSize).entries()) {
      parts.push(Buffer.from(index === 0 ? '' : ','), text);
    }
    const next = offset + pageSize;
    const tail = next < entries.length ? `],"nextCursor":${JSON.stringify(toCursor(next))}` : ']';
    const fields = Buffer.concat([Buffer.from(`"${member}":[`), ...parts, Buffer.from(tail)]).toString('utf8');
    pages.set(offset === 0 ? undefined : toCursor(offset), { fields });
  }
  return pages;
}
