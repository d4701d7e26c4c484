/** Which of the two forms of an answer a client would rather have, where the protocol leaves the choice to the server. */

const EVENT_STREAM = 'text/event-stream';
/** The ranges of an Accept header that take JSON. */
const JSON_RANGES: ReadonlySet<string> = new Set(['application/json', 'application/*', '*/*']);
/** What the official clients send; not taken apart each time. */
const USUAL = 'application/json, text/event-stream';

/** Whether an Accept header ranks an event stream before JSON: by weight, and at equal weight by what it names first. */
export function prefersEventStream(accept: string | undefined): boolean {
  if (accept === undefined || accept === USUAL) return false;
  let best = 0;
  let isPreferred = false;
  for (const range of accept.toLowerCase().split(',')) {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim());
    const isStream = type === EVENT_STREAM;
    const weight = isStream || JSON_RANGES.has(type) ? weightOf(parameters) : 0;
    if (!(weight > best)) continue;
    best = weight;
    isPreferred = isStream;
  }
  return isPreferred;
}

function weightOf(parameters: readonly string[]): number {
  const weight = parameters.find((parameter) => parameter.startsWith('q='));
  return weight === undefined ? 1 : Number(weight.slice('q='.length));
}
