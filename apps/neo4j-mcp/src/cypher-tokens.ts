/**
 * Reads a Cypher statement as tokens, the way Neo4j does, so that what stands in strings, comments and quoted names is
 * never taken for a keyword. Owns no grammar: who asks looks at neighbouring tokens.
 */

/** A name, keyword or number; a quoted name; or one sign. The content of strings and comments gives no token. */
export interface CypherToken {
  kind: 'word' | 'quoted' | 'sign';
  text: string;
  /** Whether white space or a comment stands before it. */
  isApart: boolean;
}

const WORD = /[\p{ID_Start}\p{ID_Continue}\p{Pc}\p{Sc}]+/uy;
const COMMENT = /\/\/[^\r\n]*|\/\*[^]*?(?:\*\/|$)/y;
const STRING = /'(?:[^\\']|\\[^])*'?|"(?:[^\\"]|\\[^])*"?/y;
const QUOTED = /`(?:[^`]|``)*`(?!`)/y;
const OPEN_QUOTED = /`[^]*/y;

/** The tokens of a statement. What is not closed ends with the text: the server refuses it anyway. */
export function readTokens(statement: string): CypherToken[] {
  const tokens: CypherToken[] = [];
  let at = 0;
  let end = 0;
  const add = (kind: CypherToken['kind'], text: string, start: number): void => {
    tokens.push({ kind, text, isApart: start > end });
    end = at;
  };
  const match = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    const found = pattern.exec(statement)?.[0];
    at += found?.length ?? 0;
    return found;
  };
  while (at < statement.length) {
    if (match(COMMENT) !== undefined) continue;
    const start = at;
    const word = match(WORD);
    if (word !== undefined) {
      add('word', word, start);
      continue;
    }
    if (match(STRING) !== undefined) {
      add('sign', "'", start);
      continue;
    }
    const quoted = match(QUOTED);
    if (quoted !== undefined) {
      add('quoted', quoted.replace(/^`|`$/g, '').replaceAll('``', '`'), start);
      continue;
    }
    if (match(OPEN_QUOTED) !== undefined) {
      add('sign', '`', start);
      continue;
    }
    const sign = String.fromCodePoint(statement.codePointAt(at) ?? 0);
    at += sign.length;
    // Whatever is not ASCII and no part of a name may be white space to the server, and is taken as such here.
    if (/[!-~]/.test(sign)) add('sign', sign, start);
  }
  return tokens;
}

/** `a.b.c` from this token on as its parts; empty when no name stands there. */
export function readPath(tokens: readonly CypherToken[], start: number): string[] {
  const path: string[] = [];
  for (let index = start; ; index += 2) {
    const token = tokens[index];
    if (!token || token.kind === 'sign') return path;
    path.push(token.text);
    const dot = tokens[index + 1];
    if (dot?.kind !== 'sign' || dot.text !== '.') return path;
  }
}

/**
 * The readings that a statement may have. Neo4j 5 replaces `\uXXXX` everywhere before it reads tokens, later versions
 * only inside strings and names, and an escaped backslash may or may not count: a check must hold in all of them.
 */
export function readingsOf(statement: string): string[] {
  if (!/\\u/i.test(statement)) return [statement];
  return [
    statement,
    statement.replace(/\\u+([0-9a-f]{4})/gi, decode),
    statement.replace(/\\(?:u+([0-9a-f]{4})|[^])/gi, (escape: string, digits?: string) =>
      digits === undefined ? escape : decode(escape, digits),
    ),
  ];
}

function decode(_escape: string, digits: string): string {
  return String.fromCharCode(Number.parseInt(digits, 16));
}
