/**
 * How URIs of an upstream with `rewriteUris` are published: with the upstream's name in front, so that two servers may
 * use the same ones. Pure, and the same for URIs and URI templates, whose variables never stand in the part that changes.
 */

/** Hosts of MCP Apps know a user interface by this scheme, so it stays and the name goes behind it. */
const UI = 'ui://';

/** The URI (or template) as clients see it. */
export function toPublishedUri(upstream: string, uri: string): string {
  return uri.startsWith(UI) ? `${UI}${upstream}/${uri.slice(UI.length)}` : `${upstream}+${uri}`;
}

/** The URI (or template) as the upstream knows it; undefined when it is none of this upstream's. */
export function toUpstreamUri(upstream: string, published: string): string | undefined {
  const ui = `${UI}${upstream}/`;
  if (published.startsWith(ui)) return `${UI}${published.slice(ui.length)}`;
  const prefix = `${upstream}+`;
  return published.startsWith(prefix) ? published.slice(prefix.length) : undefined;
}
