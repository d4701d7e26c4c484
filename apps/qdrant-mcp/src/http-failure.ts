/** Turns an answer of Qdrant that is no success, or a connection that failed, into an error for the caller. Pure. */
import { ToolError, type Failure } from '@database-mcp/errors';
import { field, parseExactJson, type Json } from './values.ts';

/** An answer that is no success. */
export interface HttpFailure {
  status: number;
  text: string;
  retryAfter: string | undefined;
}

/** Longer texts are cut: they repeat what was sent. */
const MAX_MESSAGE_CHARACTERS = 600;

const KEY_HINT = 'The operator checks QDRANT_API_KEY: a key that may read all collections that should be searched.';
const DOWN_HINT =
  'It may be down or starting: try again. The operator checks QDRANT_URL (its REST port, usually 6333).';

/** The error for an answer; `secret` never appears in it. */
export function toAnswerError(failure: HttpFailure, secret: string | undefined): ToolError {
  const said = cleanMessage(errorTextOf(failure.text), secret);
  return new ToolError(classify(failure, said), { cause: { status: failure.status } });
}

/** The HTTP status that an error came with. */
export function statusOf(error: unknown): string | undefined {
  const { cause } = error instanceof ToolError ? error : {};
  return typeof cause === 'object' && cause !== null && 'status' in cause ? String(cause.status) : undefined;
}

function classify({ status, retryAfter }: HttpFailure, said: string): Failure {
  if (status === 401 || status === 403) {
    const message = status === 401 ? 'Qdrant does not accept the API key.' : `Qdrant refused access: ${said}`;
    return { code: 'PERMISSION_DENIED', message, hint: KEY_HINT };
  }
  if (status === 404 && said.startsWith('Not found: ')) return { code: 'NOT_FOUND', message: said.slice(11) };
  if (status === 429) {
    const when = retryAfter && /^\d+$/.test(retryAfter) ? `in ${retryAfter} s` : 'in a moment';
    return { code: 'BUSY', message: `Qdrant has too many requests to answer. ${said}`.trim(), hint: `Repeat ${when}.` };
  }
  if (status === 400 || status === 422) return classifyRefusal(said);
  if (status === 413) return { code: 'TOO_LARGE', message: 'The request is larger than Qdrant takes.' };
  if (status === 408 || (status >= 502 && status <= 504)) {
    return {
      code: 'UNAVAILABLE',
      message: `Qdrant cannot answer now (HTTP ${status}). ${said}`.trim(),
      hint: DOWN_HINT,
    };
  }
  if (status >= 500) return { code: 'QUERY_FAILED', message: said || `Qdrant failed with HTTP ${status}.` };
  return notQdrant(`HTTP ${status}`);
}

/** Qdrant looked at the request and would not carry it out. */
function classifyRefusal(said: string): Failure {
  if (said.startsWith('JSON payload')) return { code: 'TOO_LARGE', message: said, hint: 'Send less in one call.' };
  const [message = '', help] = said.split(/\.? Help: /);
  if (message.startsWith('Bad request: ')) {
    return { code: 'QUERY_FAILED', message: `Qdrant refused: ${message.slice(13)}`, ...(help ? { hint: help } : {}) };
  }
  return { code: 'INVALID_ARGUMENT', message: `Qdrant refused: ${message || 'it gave no reason'}` };
}

function notQdrant(what: string): Failure {
  return {
    code: 'UNAVAILABLE',
    message: `What answers at QDRANT_URL does not answer like Qdrant (${what}).`,
    hint: 'The operator checks QDRANT_URL: the REST port (usually 6333, not 6334), the path, http or https.',
  };
}

/** The error for a success that Qdrant would not give. */
export function notQdrantError(what: string): ToolError {
  return new ToolError(notQdrant(what));
}

/** The error for a connection that failed; undefined when the fault is not the connection's. */
export function toConnectionError(error: unknown): ToolError | undefined {
  // The parser of undici gives no code for some of its errors.
  const code = codeOf(error) ?? (error instanceof Error && error.name === 'HTTPParserError' ? 'no HTTP' : undefined);
  if (code === undefined) return undefined;
  if (code === 'no HTTP' || code.startsWith('HPE_') || code === 'EPROTO' || code.startsWith('ERR_SSL_')) {
    return new ToolError(notQdrant(code), { cause: error });
  }
  if (/CERT|SELF_SIGNED|ERR_TLS|UNABLE_TO_/.test(code)) {
    const hint = 'The operator checks the certificate, or names its authority in NODE_EXTRA_CA_CERTS.';
    const message = `The certificate of Qdrant is not trusted (${code}).`;
    return new ToolError({ code: 'UNAVAILABLE', message, hint }, { cause: error });
  }
  const message = `Qdrant cannot be reached (${code}).`;
  return new ToolError({ code: 'UNAVAILABLE', message, hint: DOWN_HINT }, { cause: error });
}

/** The error for a server that takes a request and says nothing for so long. */
export function silentError(afterMs: number, cause: unknown): ToolError {
  const message = `Qdrant did not answer within ${afterMs / 1000} s.`;
  return new ToolError({ code: 'UNAVAILABLE', message, hint: DOWN_HINT }, { cause });
}

/** Whether the server closed a kept connection just as it was used again: the request is worth a second try. */
export function isStaleConnection(error: unknown): boolean {
  return ['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE'].includes(codeOf(error) ?? '');
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** The message of an error envelope; a plain text is its own message, a page of HTML is none. */
function errorTextOf(text: string): string {
  let answer: Json;
  try {
    answer = parseExactJson(text);
  } catch {
    return text.trimStart().startsWith('<') ? '' : text;
  }
  const error = field(field(answer, 'status'), 'error');
  return typeof error === 'string' ? error : '';
}

/** Without what only makes sense to who wrote the request's bytes, and never with the key. */
function cleanMessage(text: string, secret: string | undefined): string {
  const plain = text
    .replace(/ at line \d+ column \d+(?=\]?$)/, '')
    .replace(/^(?:Format|Validation) error in [A-Za-z ]+: /, '')
    .replace(/^Wrong input: /, '')
    .replace(/\p{Cc}+/gu, ' ')
    .trim();
  const safe = secret ? plain.replaceAll(secret, '***') : plain;
  return safe.length > MAX_MESSAGE_CHARACTERS ? `${safe.slice(0, MAX_MESSAGE_CHARACTERS)}…` : safe;
}
