/** A strict reader of Prometheus text (exposition format 0.0.4): what it does not know is a mistake. */

/** One line of values. */
export interface Sample {
  name: string;
  labels: Readonly<Record<string, string>>;
  value: number;
}

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*';
const HELP = new RegExp(`^# HELP (${NAME}) (.+)$`);
const TYPE = new RegExp(`^# TYPE (${NAME}) (counter|gauge|histogram)$`);
const SAMPLE = new RegExp(`^(${NAME})(?:\\{(.*)\\})? ([-+]?(?:Inf|NaN|[0-9.]+(?:e[-+]?[0-9]+)?))$`);
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\n"])*)"(?:,(?!$)|$)/;

interface Family {
  name: string;
  type: string;
}

/** The samples of the text. Throws with the line if anything is not as the format has it. */
export function readSamples(text: string): Sample[] {
  const samples: Sample[] = [];
  const families = new Set<string>();
  const seen = new Set<string>();
  let help: string | undefined;
  let family: Family | undefined;
  if (!text.endsWith('\n')) throw new Error('the last line has no end');
  for (const line of text.slice(0, -1).split('\n')) {
    const refuse = (problem: string): never => {
      throw new Error(`${problem}: ${line}`);
    };
    if (line.startsWith('# HELP')) {
      help = HELP.exec(line)?.[1] ?? refuse('no HELP line');
      continue;
    }
    if (line.startsWith('#')) {
      const [, name = '', type = ''] = TYPE.exec(line) ?? refuse('no TYPE line');
      if (name !== help) refuse('TYPE without its HELP');
      if (families.has(name)) refuse('a second family of this name');
      families.add(name);
      family = { name, type };
      continue;
    }
    const [, name = '', labelText = '', number = ''] = SAMPLE.exec(line) ?? refuse('no sample');
    if (!family || !isOf(family, name)) refuse('a sample outside of its family');
    const labels = readLabels(labelText, refuse);
    const key = `${name} ${JSON.stringify(Object.entries(labels).toSorted())}`;
    if (seen.has(key)) refuse('a second sample with these labels');
    seen.add(key);
    samples.push({ name, labels, value: Number(number.replace('Inf', 'Infinity')) });
  }
  checkHistograms(samples);
  return samples;
}

/** The value of the one sample with this name and exactly these labels. */
export function sampleOf(samples: readonly Sample[], name: string, labels: Readonly<Record<string, string>>): number {
  const wanted = JSON.stringify(Object.entries(labels).toSorted());
  const found = samples.find(
    (sample) => sample.name === name && JSON.stringify(Object.entries(sample.labels).toSorted()) === wanted,
  );
  if (!found) throw new Error(`there is no ${name} with ${wanted}`);
  return found.value;
}

function isOf({ name, type }: Family, sample: string): boolean {
  if (type !== 'histogram') return sample === name && (type !== 'counter' || name.endsWith('_total'));
  return ['_bucket', '_sum', '_count'].some((suffix) => sample === `${name}${suffix}`);
}

function readLabels(text: string, refuse: (problem: string) => never): Record<string, string> {
  const labels: Record<string, string> = {};
  for (let rest = text; rest !== '';) {
    const [whole = '', name = '', value = ''] = LABEL.exec(rest) ?? refuse('no label');
    if (name in labels) refuse('a label twice');
    labels[name] = value.replace(/\\(.)/g, (_, character: string) => (character === 'n' ? '\n' : character));
    rest = rest.slice(whole.length);
  }
  return labels;
}

/** Buckets grow, and the last is the count. */
function checkHistograms(samples: readonly Sample[]): void {
  const last = new Map<string, number>();
  for (const { name, labels, value } of samples) {
    if (!name.endsWith('_bucket')) continue;
    const { le, ...others } = labels;
    const key = `${name.slice(0, -'_bucket'.length)} ${JSON.stringify(others)}`;
    if (value < (last.get(key) ?? 0)) throw new Error(`the buckets of ${key} shrink`);
    last.set(key, value);
    if (le !== '+Inf') continue;
    const count = sampleOf(samples, `${name.slice(0, -'_bucket'.length)}_count`, others);
    if (count !== value) throw new Error(`the last bucket of ${key} is not its count`);
  }
}
