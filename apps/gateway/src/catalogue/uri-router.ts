/** Finds the upstream that a resource URI belongs to: by exact URI, by template, then by authority and scheme (G21). */
import type { UpstreamRoute } from './route.ts';
import { toUpstreamUri } from './published-uris.ts';
import { parseUriTemplate, type UriTemplate } from './uri-template.ts';

/** What the router knows of one upstream. */
export interface UriOwner {
  name: string;
  rewriteUris: boolean;
  /** It declares that it has resources. */
  hasResources: boolean;
}

/** Where URIs lead. */
export interface UriRouter {
  route(uri: string): UpstreamRoute | undefined;
}

type Routes = ReadonlyMap<string, UpstreamRoute>;

/** Creates the router over the merged lists of resources and templates. */
export function createUriRouter(owners: readonly UriOwner[], resources: Routes, templates: Routes): UriRouter {
  const parsed = parseTemplates(templates);
  const authorities = new Map<string, string | undefined>();
  const schemes = new Map<string, string | undefined>();
  for (const [uri, { upstream }] of [...resources, ...templates]) {
    const parts = splitUri(uri);
    claim(schemes, parts.scheme, upstream);
    claim(authorities, parts.authority, upstream);
  }
  const byName = new Map(owners.map((owner) => [owner.name, owner]));
  const able = owners.filter(({ hasResources }) => hasResources);
  const toRoute = (name: string | undefined, uri: string): UpstreamRoute | undefined => {
    const owner = name === undefined ? undefined : byName.get(name);
    if (!owner) return undefined;
    const plain: UpstreamRoute = { kind: 'upstream', upstream: owner.name, upstreamName: uri };
    if (!owner.rewriteUris) return plain;
    const upstreamName = toUpstreamUri(owner.name, uri);
    return upstreamName === undefined ? undefined : { ...plain, upstreamName, special: { rewriteUris: true } };
  };
  const findOwner = (uri: string): string | undefined => {
    const rewritten = able.find((owner) => owner.rewriteUris && toUpstreamUri(owner.name, uri) !== undefined);
    if (rewritten) return rewritten.name;
    const template = parsed.find((each) => each.template.matches(uri));
    if (template) return template.upstream;
    const { scheme, authority } = splitUri(uri);
    // Where one server alone has resources, only that one can know what else there is.
    return authorities.get(authority) ?? schemes.get(scheme) ?? (able.length === 1 ? able[0]?.name : undefined);
  };
  return { route: (uri) => resources.get(uri) ?? toRoute(findOwner(uri), uri) };
}

/** The most specific template first; of equals, in the order of the configuration. */
function parseTemplates(templates: Routes): { template: UriTemplate; upstream: string }[] {
  const parsed: { template: UriTemplate; upstream: string }[] = [];
  for (const [text, { upstream }] of templates) {
    const template = parseUriTemplate(text);
    if (template) parsed.push({ template, upstream });
  }
  return parsed.toSorted((a, b) => b.template.literals - a.template.literals);
}

/** A scheme or authority that two upstreams use leads nowhere. */
function claim(owners: Map<string, string | undefined>, key: string, upstream: string): void {
  owners.set(key, !owners.has(key) || owners.get(key) === upstream ? upstream : undefined);
}

/** The scheme, and the scheme with the authority; parts that hold a template's variable count as far as they are literal. */
function splitUri(uri: string): { scheme: string; authority: string } {
  const scheme = /^[A-Za-z][A-Za-z0-9+.-]*:/.exec(uri)?.[0].toLowerCase() ?? '';
  const rest = uri.slice(scheme.length);
  const authority = rest.startsWith('//') ? /^\/\/[^/?#{]*/.exec(rest)?.[0].toLowerCase() : undefined;
  return { scheme, authority: `${scheme}${authority ?? ''}` };
}
