/**
 * Matches URIs against URI templates (RFC 6570, as far as MCP servers use it). No regular expressions: both sides come
 * from elsewhere, and the time is bounded by the length of the URI times the length of the template.
 */

/** Whether a URI may come from the template, and how many of the template's characters are literal. */
export interface UriTemplate {
  literals: number;
  matches(uri: string): boolean;
}

type Part = { kind: 'literal'; text: string } | Expression;

interface Expression {
  kind: 'expression';
  /** Stands before the value; the whole expression may then be absent. */
  lead: string;
  allows: (char: string) => boolean;
}

/** Longer URIs are matched exactly or by scheme only. */
const MAX_URI_CHARS = 8_192;
const MAX_PARTS = 64;

const inSegment = (char: string): boolean => char !== '/' && char !== '?' && char !== '#';
const inPath = (char: string): boolean => char !== '?' && char !== '#';
const inQuery = (char: string): boolean => char !== '#';
const anywhere = (): boolean => true;

const OPERATORS: Readonly<Record<string, Omit<Expression, 'kind'>>> = {
  '+': { lead: '', allows: anywhere },
  '#': { lead: '#', allows: anywhere },
  '.': { lead: '.', allows: inSegment },
  '/': { lead: '/', allows: inPath },
  ';': { lead: ';', allows: inSegment },
  '?': { lead: '?', allows: inQuery },
  '&': { lead: '&', allows: inQuery },
};
const SIMPLE: Omit<Expression, 'kind'> = { lead: '', allows: inSegment };

/** Reads a template; undefined when it is none. */
export function parseUriTemplate(template: string): UriTemplate | undefined {
  const parts: Part[] = [];
  let at = 0;
  while (at < template.length) {
    const open = template.indexOf('{', at);
    const text = template.slice(at, open === -1 ? undefined : open);
    if (text.includes('}')) return undefined;
    if (text !== '') parts.push({ kind: 'literal', text });
    if (open === -1) break;
    const close = template.indexOf('}', open);
    const expression = close === -1 ? '' : template.slice(open + 1, close);
    if (!/^[+#./;?&]?[A-Za-z0-9_.%,:*-]+$/.test(expression)) return undefined;
    parts.push({ kind: 'expression', ...(OPERATORS[expression[0] ?? ''] ?? SIMPLE) });
    at = close + 1;
  }
  if (parts.length > MAX_PARTS) return undefined;
  const literals = parts.reduce((sum, part) => sum + (part.kind === 'literal' ? part.text.length : 0), 0);
  return { literals, matches: (uri) => uri.length <= MAX_URI_CHARS && matches(parts, uri) };
}

/** Follows all readings at once: after each part, the set of places in the URI that may be reached. */
function matches(parts: readonly Part[], uri: string): boolean {
  let reached = new Uint8Array(uri.length + 1);
  reached[0] = 1;
  for (const part of parts) {
    const next = new Uint8Array(uri.length + 1);
    if (part.kind === 'literal') passLiteral(part.text, uri, reached, next);
    else passExpression(part, uri, reached, next);
    reached = next;
  }
  return reached[uri.length] === 1;
}

function passLiteral(text: string, uri: string, reached: Uint8Array, next: Uint8Array): void {
  for (let at = reached.indexOf(1); at !== -1; at = reached.indexOf(1, at + 1)) {
    if (uri.startsWith(text, at)) next[at + text.length] = 1;
  }
}

function passExpression({ lead, allows }: Expression, uri: string, reached: Uint8Array, next: Uint8Array): void {
  let isInside = false;
  for (let at = 0; at <= uri.length; at++) {
    // Without a variable's value an expression with a lead expands to nothing.
    if (lead !== '' && reached[at] === 1) next[at] = 1;
    if (isInside) next[at] = 1;
    const char = uri[at];
    if (char === undefined) break;
    if (lead === '') isInside = (isInside || reached[at] === 1) && allows(char);
    else isInside = (isInside && allows(char)) || (reached[at] === 1 && char === lead);
  }
}
