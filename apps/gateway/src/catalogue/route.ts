/** Where a published name or URI leads. */
import type { HubTool } from '../hub-tools.ts';
import type { ParamHeader } from './param-headers.ts';

/** A name that leads to an upstream. `upstreamName` differs from the published one when it must change on the way up. */
export interface UpstreamRoute {
  kind: 'upstream';
  upstream: string;
  upstreamName: string;
  /** Undefined for nearly all: then requests and answers pass as they are. */
  special?: RouteSpecial;
}

/** What a route needs beyond passing bytes. */
export interface RouteSpecial {
  /** Arguments that headers must repeat. */
  headers?: readonly ParamHeader[];
  /** URIs are translated in both directions. */
  rewriteUris?: boolean;
}

/** Where a published name leads. */
export type Route = { kind: 'hub'; tool: HubTool } | UpstreamRoute;
