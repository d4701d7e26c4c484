/** Which traces are recorded: the samplers of `OTEL_TRACES_SAMPLER`. */
import type { SamplerName } from '../settings.ts';
import { SAMPLED, type TraceContext } from '../trace-context.ts';

/** Whether a span is recorded; `parent` is undefined where a trace begins. */
export type Sampler = (parent: TraceContext | undefined, traceId: string) => boolean;

/** The random part of a trace id is its last 56 bits (W3C Trace Context level 2); 52 of them fit a double well. */
const RANDOM_DIGITS = 13;

/** Creates the sampler; `ratio` counts for the samplers by ratio alone. */
export function createSampler(name: SamplerName, ratio: number): Sampler {
  const root = createRootSampler(name.replace('parentbased_', ''), ratio);
  if (!name.startsWith('parentbased_')) return (_parent, traceId) => root(traceId);
  return (parent, traceId) => (parent ? (parent.flags & SAMPLED) !== 0 : root(traceId));
}

function createRootSampler(name: string, ratio: number): (traceId: string) => boolean {
  if (name === 'always_on') return () => true;
  if (name === 'always_off') return () => false;
  const limit = ratio * 16 ** RANDOM_DIGITS;
  return (traceId) => Number.parseInt(traceId.slice(-RANDOM_DIGITS), 16) < limit;
}
