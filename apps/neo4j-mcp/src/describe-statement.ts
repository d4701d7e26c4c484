/** What telemetry and the audit log may say of a Cypher statement: its clause, its labels, and its text without any value. */
import { PLACEHOLDER, toStatementText, toSummary, type StatementDescription } from '@database-mcp/mcp-kit';
import { readingsOf, readPath, readTokens, type CypherToken } from './cypher-tokens.ts';

/** Words that a statement begins with; any other first word may be anything, also a value. */
const CLAUSES = new Set(
  'MATCH OPTIONAL CALL RETURN WITH UNWIND SHOW USE CREATE MERGE SET REMOVE DELETE DETACH FOREACH LOAD DROP'.split(' '),
);
/** Words that may stand before those. */
const MODES = new Set(['EXPLAIN', 'PROFILE']);

/** Describes a statement. What is written as a name (`` `like this` ``) stays, whatever it holds. */
export function describeStatement(cypher: string): StatementDescription {
  const [tokens = [], ...others] = readingsOf(cypher).map(readTokens);
  const text = toText(tokens);
  // Which reading of an escape is Neo4j's depends on its version: where they differ, a value could be taken for a name.
  if (others.some((reading) => toText(reading) !== text)) return {};
  const summary = summarise(tokens);
  return summary === undefined ? { text } : { summary, text };
}

function toText(tokens: readonly CypherToken[]): string {
  const shown = tokens.map((token) => ({ text: show(token), isApart: token.isApart }));
  // A number such as 1.5 is read as two words and a sign.
  return toStatementText(shown).replace(/\?(?:\.\?)+/g, PLACEHOLDER);
}

function show({ kind, text }: CypherToken): string {
  if (kind === 'quoted') return `\`${text.replaceAll('`', '``')}\``;
  if (kind === 'word') return /^[\p{ID_Start}\p{Pc}$]/u.test(text) ? text : PLACEHOLDER;
  return text === "'" || text === '`' ? PLACEHOLDER : text;
}

/** The first clause, then the procedure that it calls, or the labels and relationship types in their order of appearance. */
function summarise(tokens: readonly CypherToken[]): string | undefined {
  const [first = '', second = ''] = tokens
    .slice(0, 2)
    .map(({ kind, text }) => (kind === 'word' ? text.toUpperCase() : ''));
  const words = MODES.has(first) ? [first, second] : [first];
  const clause = words.at(-1) ?? '';
  if (!CLAUSES.has(clause)) return undefined;
  const path = clause === 'CALL' ? readPath(tokens, words.length) : [];
  return toSummary(words.join(' '), path.length > 1 ? [path.join('.')] : readLabels(tokens));
}

/** A name after a colon is a label or type, except inside braces, where the colon stands between a key and its value. */
function* readLabels(tokens: readonly CypherToken[]): Iterable<string> {
  const open: string[] = [];
  let isExpression = false;
  let isNext = false;
  for (const token of tokens) {
    const { kind, text } = token;
    if (kind !== 'sign') {
      if (isNext && (kind === 'quoted' || /^[\p{ID_Start}\p{Pc}]/u.test(text))) yield text;
      isNext = false;
      continue;
    }
    if ('([{'.includes(text)) open.push(text);
    else if (')]}'.includes(text)) open.pop();
    if (text === ':') isExpression = open.at(-1) !== '{';
    // (n:A|B), (n:A&!B), [:A|:B]
    else if (!'|&!'.includes(text)) isExpression = false;
    isNext = isExpression;
  }
}
