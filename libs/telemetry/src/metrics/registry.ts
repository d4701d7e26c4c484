/**
 * The metrics of a process: histograms and counters that code records, gauges that are asked when somebody reads them.
 * Owns the series and their bounds; how they are written out is the readers' (`prometheus.ts`, `otlp/encode-metrics.ts`).
 */

/** What is measured. The unit is UCUM, as OpenTelemetry writes it: `s`, `By`, `{call}`, `1`. */
export interface MetricDefinition {
  name: string;
  unit: string;
  description: string;
}

/** A counter that only grows. */
export type CounterDefinition = MetricDefinition;

/** A value at the moment of reading. */
export type GaugeDefinition = MetricDefinition;

/** A distribution; `buckets` are its inclusive upper bounds, growing. */
export interface HistogramDefinition extends MetricDefinition {
  buckets: readonly number[];
}

/** Names and values of the labels of one series; an undefined value is no label. Sets of values must be closed. */
export type Labels = Readonly<Record<string, string | undefined>>;

/** A histogram. */
export interface Histogram {
  record(value: number, labels?: Labels): void;
}

/** A counter. */
export interface Counter {
  add(value: number, labels?: Labels): void;
}

/** One value of a gauge or of an observed counter. */
export interface Observation {
  value: number;
  labels?: Labels;
}

/** What code measures with. Asking for the same definition again gives the same instrument. */
export interface Metrics {
  histogram(definition: HistogramDefinition): Histogram;
  counter(definition: CounterDefinition): Counter;
  /** `observe` is called at each reading; several observers of one gauge are read together. */
  gauge(definition: GaugeDefinition, observe: () => Iterable<Observation>): void;
}

/** One series at the moment of reading. */
export type MetricPoint =
  | { labels: readonly [string, string][]; value: number }
  | { labels: readonly [string, string][]; count: number; sum: number; bucketCounts: readonly number[] };

/** One metric at the moment of reading. */
export interface MetricSnapshot {
  kind: 'histogram' | 'counter' | 'gauge';
  definition: MetricDefinition & { buckets?: readonly number[] };
  points: readonly MetricPoint[];
}

/** More label sets than this mean that somebody makes them up; the rest are counted together (OpenTelemetry's limit). */
const MAX_SERIES = 2_000;
/** Label values are names; longer ones are cut. */
const MAX_VALUE_CHARS = 128;
/** Labels in the order they were given in; further ones are sorted each time. */
const MAX_KNOWN_KEYS = 2 * MAX_SERIES;
const OVERFLOW: Labels = { 'otel.metric.overflow': 'true' };

interface Series {
  labels: [string, string][];
  value: number;
  count: number;
  bucketCounts: number[];
}

/** All metrics of a process. */
export class MetricRegistry implements Metrics {
  readonly startedAt = Date.now();
  readonly #recorded = new Map<string, Recorder>();
  readonly #gauges = new Map<string, { definition: GaugeDefinition; observers: (() => Iterable<Observation>)[] }>();

  histogram(definition: HistogramDefinition): Histogram {
    return this.#recorder(definition, definition.buckets);
  }

  counter(definition: CounterDefinition): Counter {
    return this.#recorder(definition, undefined);
  }

  gauge(definition: GaugeDefinition, observe: () => Iterable<Observation>): void {
    const known = this.#gauges.get(definition.name);
    if (known) known.observers.push(observe);
    else this.#gauges.set(definition.name, { definition, observers: [observe] });
  }

  /** Everything as it is now, by name. */
  collect(): MetricSnapshot[] {
    const snapshots = [...this.#recorded.values()].map((recorder) => recorder.snapshot());
    for (const { definition, observers } of this.#gauges.values()) {
      const recorder = new Recorder(definition, undefined);
      for (const observe of observers) {
        for (const { value, labels } of observe()) recorder.set(value, labels);
      }
      snapshots.push({ ...recorder.snapshot(), kind: 'gauge' });
    }
    return snapshots.toSorted((a, b) => (a.definition.name < b.definition.name ? -1 : 1));
  }

  #recorder(definition: MetricDefinition, buckets: readonly number[] | undefined): Recorder {
    const known = this.#recorded.get(definition.name);
    if (known) return known;
    const recorder = new Recorder(definition, buckets);
    this.#recorded.set(definition.name, recorder);
    return recorder;
  }
}

class Recorder implements Histogram, Counter {
  readonly #definition: MetricDefinition;
  readonly #buckets: readonly number[] | undefined;
  readonly #series = new Map<string, Series>();
  /** Labels as they were given before, so that most need no sorting. */
  readonly #known = new Map<string, Series>();

  constructor(definition: MetricDefinition, buckets: readonly number[] | undefined) {
    this.#definition = definition;
    this.#buckets = buckets;
  }

  record(value: number, labels: Labels = {}): void {
    const series = this.#seriesOf(labels);
    series.count++;
    series.value += value;
    const buckets = this.#buckets ?? [];
    let at = 0;
    while (at < buckets.length && value > (buckets[at] ?? 0)) at++;
    series.bucketCounts[at] = (series.bucketCounts[at] ?? 0) + 1;
  }

  add(value: number, labels: Labels = {}): void {
    this.#seriesOf(labels).value += value;
  }

  set(value: number, labels: Labels = {}): void {
    this.#seriesOf(labels).value = value;
  }

  snapshot(): MetricSnapshot {
    const definition = this.#buckets ? { ...this.#definition, buckets: this.#buckets } : this.#definition;
    const points = [...this.#series.values()].map(({ labels, value, count, bucketCounts }) =>
      this.#buckets ? { labels, count, sum: value, bucketCounts: [...bucketCounts] } : { labels, value },
    );
    return { kind: this.#buckets ? 'histogram' : 'counter', definition, points };
  }

  #seriesOf(labels: Labels): Series {
    let key = '';
    for (const name in labels) if (labels[name] !== undefined) key += `${name}\u0000${labels[name]}\u0000`;
    const known = this.#known.get(key);
    if (known) return known;
    const series = this.#find(labels);
    if (this.#known.size < MAX_KNOWN_KEYS) this.#known.set(key, series);
    return series;
  }

  /** The order in which labels are given, and what is cut off of them, makes no other series. */
  #find(labels: Labels): Series {
    const sorted = Object.entries(labels)
      .flatMap(([name, value]): [string, string][] =>
        value === undefined ? [] : [[name, value.slice(0, MAX_VALUE_CHARS)]],
      )
      .toSorted(([a], [b]) => (a < b ? -1 : 1));
    const key = JSON.stringify(sorted);
    const known = this.#series.get(key);
    if (known) return known;
    if (this.#series.size >= MAX_SERIES && labels !== OVERFLOW) return this.#find(OVERFLOW);
    const bucketCounts = Array.from({ length: (this.#buckets?.length ?? 0) + 1 }, () => 0);
    const created: Series = { labels: sorted, value: 0, count: 0, bucketCounts };
    this.#series.set(key, created);
    return created;
  }
}
