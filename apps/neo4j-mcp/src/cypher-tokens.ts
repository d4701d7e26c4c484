/**
 * Reads a Cypher statement as tokens, the way Neo4j does, so that what stands in strings, comments and quoted names is
 * never taken for a keyword. Owns no grammar: who asks looks at neighbouring tokens.
 */

/** A name, keyword or number; a quoted name; or one sign. The content of strings and comments gives no token. */
export interface CypherToken {
  kind: 'word' | 'quoted' | 'sign';
  text: string;
}

const WORD = /[\p{ID_Start}\p{ID_Continue}\p{Pc}\p{Sc}]+/uy;
const COMMENT = /\/\/[^\r\n]*|\/\*[^]*?(?:\*\/|$)/y;
const STRING = /'(?:[^\\']|\\[^])*'?|"(?:[^\\"]|\\[^])*"?/y;
const QUOTED = /`(?:[^`]|``)*`?/y;

/** The tokens of a statement. What is not closed ends with the text: the server refuses it anyway. */
export function readTokens(statement: string): CypherToken[] {
  const tokens: CypherToken[] = [];
  let at = 0;
  const match = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    const found = pattern.exec(statement)?.[0];
    at += found?.length ?? 0;
    return found;
  };
  while (at < statement.length) {
    if (match(COMMENT) !== undefined) continue;
    const word = match(WORD);
    if (word !== undefined) {
      tokens.push({ kind: 'word', text: word });
      continue;
    }
    if (match(STRING) !== undefined) {
      tokens.push({ kind: 'sign', text: "'" });
      continue;
    }
    const quoted = match(QUOTED);
    if (quoted !== undefined) {
      tokens.push({ kind: 'quoted', text: quoted.replace(/^`|`$/g, '').replaceAll('``', '`') });
      continue;
    }
    const sign = String.fromCodePoint(statement.codePointAt(at) ?? 0);
    at += sign.length;
    // Whatever is not ASCII and no part of a name may be white space to the server, and is taken as such here.
    if (/[!-~]/.test(sign)) tokens.push({ kind: 'sign', text: sign });
  }
  return tokens;
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
