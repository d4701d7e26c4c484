/**
 * The upstreams of a running gateway: creates those that a configuration adds, keeps those that it leaves alone, and
 * closes the others once their calls have ended. What is published of them is the catalogue's business.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { UpstreamConfig } from '../config.ts';
import type { Upstream } from './upstream.ts';

/** One upstream, and what the configuration says of it. */
export interface UpstreamMember {
  config: UpstreamConfig;
  upstream: Upstream;
}

/** What a new configuration did, by names. */
export interface UpstreamChange {
  added: string[];
  removed: string[];
  changed: string[];
}

/** Makes the members known to whoever publishes them, and calls `onSwitch` at that moment; rejects to refuse them. */
export type PublishMembers = (members: readonly UpstreamMember[], onSwitch: () => void) => Promise<void>;

/** The upstreams of one gateway. */
export interface UpstreamSet {
  /** Always the current ones. */
  readonly byName: ReadonlyMap<string, Upstream>;
  members(): readonly UpstreamMember[];
  /** Changes to another configuration. Rejects, and keeps what was, when `publish` rejects. One at a time. */
  replace(configs: readonly UpstreamConfig[], publish: PublishMembers): Promise<UpstreamChange>;
  /** Ends every connection, also of those that still finish calls. */
  close(): Promise<void>;
}

/** Creates the upstreams of a configuration. */
export function createUpstreamSet(
  configs: readonly UpstreamConfig[],
  create: (config: UpstreamConfig) => Upstream,
): UpstreamSet {
  const byName = new Map<string, Upstream>();
  const retiring = new Set<Upstream>();
  const toMember = (config: UpstreamConfig): UpstreamMember => ({ config, upstream: create(config) });
  let members: readonly UpstreamMember[] = configs.map(toMember);
  const index = (): void => {
    byName.clear();
    for (const { config, upstream } of members) byName.set(config.name, upstream);
  };
  index();
  const retire = async ({ upstream, config }: UpstreamMember): Promise<void> => {
    retiring.add(upstream);
    // Each call has a deadline, so both ends come.
    await (upstream.drained?.() ?? delay(config.timeoutMs, undefined, { ref: false }));
    if (retiring.delete(upstream)) await upstream.close();
  };
  return {
    byName,
    members: () => members,
    replace: async (nextConfigs, publish) => {
      const before = members;
      const next = nextConfigs.map(
        (config) => before.find((member) => isDeepStrictEqual(member.config, config)) ?? toMember(config),
      );
      const created = next.filter((member) => !before.includes(member));
      try {
        await publish(next, () => {
          members = next;
          index();
        });
      } catch (error) {
        await closeAll(created.map(({ upstream }) => upstream));
        throw error;
      }
      for (const member of before) if (!next.includes(member)) void retire(member);
      return describeChange(before, next);
    },
    close: () => {
      const all = [...members.map(({ upstream }) => upstream), ...retiring];
      retiring.clear();
      return closeAll(all);
    },
  };
}

async function closeAll(upstreams: readonly Upstream[]): Promise<void> {
  await Promise.all(upstreams.map((upstream) => upstream.close()));
}

function describeChange(before: readonly UpstreamMember[], next: readonly UpstreamMember[]): UpstreamChange {
  const wasThere = new Set(before.map(({ config }) => config.name));
  const isThere = new Set(next.map(({ config }) => config.name));
  const fresh = next.filter((member) => !before.includes(member)).map(({ config }) => config.name);
  return {
    added: fresh.filter((name) => !wasThere.has(name)),
    removed: [...wasThere].filter((name) => !isThere.has(name)),
    changed: fresh.filter((name) => wasThere.has(name)),
  };
}
