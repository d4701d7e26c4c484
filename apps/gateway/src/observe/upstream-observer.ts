/**
 * What is measured and traced of each upstream besides the calls of clients: load, limits, reachability, and the
 * refreshes of its lists. An autoscaler of the servers reads the load; the names are in docs/observability.md.
 */
import { ATTRIBUTE, METRIC, toMethodLabel, type Metrics, type Span, type Telemetry } from '@database-mcp/telemetry';
import type { Catalogue, ObservedRefresh } from '../catalogue/catalogue.ts';
import type { FetchOutcome } from '../catalogue/fetch-lists.ts';
import type { UpstreamConfig } from '../config.ts';
import { MODERN_VERSION } from '../protocol.ts';
import type { UpstreamMember } from '../upstream/upstream-set.ts';
import type { Origin, Upstream, UpstreamRequest } from '../upstream/upstream.ts';
import { observeUpstream, type ObservedUpstream } from './observed-upstream.ts';

/** Observes the upstreams of a gateway. */
export interface UpstreamObserver {
  /** The upstream as everybody is to use it. */
  observe(upstream: Upstream, config: UpstreamConfig): Upstream;
  /** A refresh is a trace of its own: it serves no single client. */
  beginRefresh(upstream: Upstream): ObservedRefresh;
  /** Adds the gauges, which tell of the upstreams that there are when they are read. */
  publish(members: () => readonly UpstreamMember[], catalogue: Pick<Catalogue, 'list'>): void;
}

/** Creates the observer of all upstreams. */
export function createUpstreamObserver(telemetry: Telemetry): UpstreamObserver {
  const { tracer, metrics } = telemetry;
  const observed = new WeakMap<Upstream, ObservedUpstream>();
  const fetchedAt = new WeakMap<Upstream, number>();
  const refreshes = metrics?.counter(METRIC.CATALOGUE_REFRESHES);
  return {
    observe: (upstream, config) => {
      const created = observeUpstream(upstream, config, telemetry);
      observed.set(created, created);
      return created;
    },
    beginRefresh: (upstream) => {
      const attributes = { [ATTRIBUTE.UPSTREAM]: upstream.name };
      const span = tracer?.start({ name: 'catalogue refresh', kind: 'internal', attributes });
      return {
        upstream: withOrigin(upstream, span),
        end: (outcome) => {
          const error = errorTypeOf(outcome);
          if (error === undefined) fetchedAt.set(upstream, performance.now());
          else span?.fail(error);
          span?.end();
          refreshes?.add(1, { [ATTRIBUTE.UPSTREAM]: upstream.name, [ATTRIBUTE.ERROR_TYPE]: error });
        },
      };
    },
    publish: (members, catalogue) => {
      if (!metrics) return;
      const observe = (definition: Parameters<Metrics['gauge']>[0], read: (member: UpstreamMember) => number): void =>
        metrics.gauge(definition, () =>
          members().map((member) => ({
            value: read(member),
            labels: { [ATTRIBUTE.UPSTREAM]: member.config.name },
          })),
        );
      const openCalls = ({ upstream }: UpstreamMember): number => observed.get(upstream)?.openCalls ?? 0;
      // An upstream admits calls up to its limit, and the others wait.
      observe(METRIC.UPSTREAM_IN_FLIGHT, (member) => Math.min(openCalls(member), limit(member)));
      observe(METRIC.UPSTREAM_QUEUED, (member) => Math.max(0, openCalls(member) - limit(member)));
      observe(METRIC.UPSTREAM_LIMIT, limit);
      observe(METRIC.UPSTREAM_AVAILABLE, ({ upstream }) => (upstream.isReachable() ? 1 : 0));
      observe(METRIC.CATALOGUE_TOOLS, ({ config }) => catalogue.list.namesByUpstream.get(config.name)?.length ?? 0);
      metrics.gauge(METRIC.CATALOGUE_AGE, () =>
        members().flatMap(({ upstream, config }) => {
          const at = fetchedAt.get(upstream);
          if (at === undefined) return [];
          const value = (performance.now() - at) / 1_000;
          return [{ value, labels: { [ATTRIBUTE.UPSTREAM]: config.name } }];
        }),
      );
    },
  };
}

function limit({ config }: UpstreamMember): number {
  return config.maxConcurrency;
}

/** The upstream, whose probes belong to this span. */
function withOrigin(upstream: Upstream, span: Span | undefined): Upstream {
  return {
    ...upstream,
    probe: (request, receiver, timeoutMs) =>
      upstream.probe({ ...request, origin: toOrigin(request, span) }, receiver, timeoutMs),
  };
}

function toOrigin({ headers }: UpstreamRequest, span: Span | undefined): Origin {
  return {
    span,
    baggage: undefined,
    method: toMethodLabel(headers['mcp-method']),
    protocolVersion: MODERN_VERSION,
    requestId: undefined,
    target: undefined,
  };
}

/** Why a refresh failed: of a closed set. */
function errorTypeOf(outcome: FetchOutcome<unknown>): string | undefined {
  if (outcome.kind === 'value') return undefined;
  if (outcome.failure !== undefined) return outcome.failure.kind;
  return outcome.code === undefined ? 'invalid' : 'rpc-error';
}
