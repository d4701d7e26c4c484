/**
 * The audit log: one JSON line for every call, in a file of its own. It fails closed: a call that cannot be recorded is
 * not answered, and until the file takes lines again no further call reaches the database. Owns the file and the form of
 * a line; what happened is told by {@link callTool} and the resource handlers. No line holds an argument or a value.
 */
import { closeSync, fstatSync, openSync, statSync, writeSync } from 'node:fs';
import type { ErrorCode, Failure } from '@database-mcp/errors';
import { toFingerprint, type StatementDescription } from './statement-description.ts';

/** Who called, as far as it was told. */
export interface Caller {
  /** `name` and `version` as the client gives them; nobody has checked them. */
  client?: { name: string; version: string } | undefined;
  session?: string | undefined;
  /** Address of the connection, which may be a proxy's or the gateway's. */
  address?: string | undefined;
}

/** One call, when it has ended. */
export interface AuditEntry {
  caller: Caller;
  /** Published name of the tool, or the method (`resources/read`). */
  name: string;
  /** Absent when the call has no statement, or its arguments could not be read. */
  statement?: StatementDescription | undefined;
  status: 'ok' | ErrorCode;
  rows?: number | undefined;
  durationMs: number;
  traceId?: string | undefined;
}

/** An open audit log. */
export interface AuditLog {
  /** Undefined when a call may run. Otherwise its answer, which is not recorded: no line can be written just now. */
  refuse(): Failure | undefined;
  /** Writes that a call which may change something begins. Otherwise gives its answer: it must not run. */
  announce(call: Pick<AuditEntry, 'caller' | 'name' | 'statement' | 'traceId'>): Failure | undefined;
  /** Writes one line. Undefined when it is in the file, otherwise the answer that the caller gets in place of the result. */
  record(entry: AuditEntry): Failure | undefined;
  close(): void;
}

/** Only the owner may read what was asked of the database. */
const MODE = 0o600;
/** What a client says of itself is cut to this many characters. */
const MAX_CLIENT_TEXT = 128;

/** Codes that say that a call was not allowed; the others say that it was tried and failed. */
const REFUSALS: ReadonlySet<string> = new Set<ErrorCode>(['INVALID_ARGUMENT', 'READ_ONLY', 'PERMISSION_DENIED']);

/** Opens the file for appending and creates it if need be. Throws, with a cause, an error that names the setting. */
export function openAuditLog(path: string, instance: string): AuditLog {
  const file = openLineFile(path);
  /** Calls that ran without a line, and calls that were refused for it. */
  let lost = 0;
  let refused = 0;
  const append = (line: object): boolean => {
    try {
      file.append(JSON.stringify({ time: new Date().toISOString(), instance, ...line }));
      return true;
    } catch {
      // The caller learns of it, and the log line of the call has the code.
      return false;
    }
  };
  return {
    refuse() {
      if (lost === 0 && refused === 0) return undefined;
      if (!append({ event: 'resumed', lost, refused })) {
        refused++;
        return unavailable('It was not run.');
      }
      lost = 0;
      refused = 0;
      return undefined;
    },
    announce(call) {
      if (append({ ...toSubject(call), event: 'begin' })) return undefined;
      refused++;
      return unavailable('It was not run.');
    },
    record(entry) {
      if (append(toLine(entry))) return undefined;
      lost++;
      return unavailable('It was run, but its answer is withheld.');
    },
    close: () => file.close(),
  };
}

function unavailable(consequence: string): Failure {
  return {
    code: 'UNAVAILABLE',
    message: `The audit log cannot be written, and no call is answered without it. ${consequence}`,
    hint: 'The operator must look at the file that MCP_AUDIT_LOG names and at the space on its disk.',
  };
}

function toLine({ status, rows, durationMs, ...call }: AuditEntry): object {
  const { trace_id, ...subject } = toSubject(call);
  const verdict = status === 'ok' ? 'allowed' : REFUSALS.has(status) ? 'refused' : 'failed';
  return { ...subject, verdict, code: status === 'ok' ? undefined : status, rows, durationMs, trace_id };
}

/** Who calls what. */
function toSubject({
  caller,
  name,
  statement,
  traceId,
}: Pick<AuditEntry, 'caller' | 'name' | 'statement' | 'traceId'>) {
  return {
    client: caller.client && { name: cut(caller.client.name), version: cut(caller.client.version) },
    session: caller.session,
    address: caller.address,
    tool: name,
    summary: statement?.summary,
    fingerprint: statement?.text === undefined ? undefined : toFingerprint(statement.text),
    trace_id: traceId,
  };
}

function cut(text: string): string {
  return text.slice(0, MAX_CLIENT_TEXT);
}

interface LineFile {
  /** Throws when the line is not wholly in the file. */
  append(line: string): void;
  close(): void;
}

/** A file that is opened anew when another one stands at its path, as after a rotation or a removal. */
function openLineFile(path: string): LineFile {
  let opened: { file: number; inode: number } | undefined = open(path);
  /** A line was cut by a full disk: the next one must not run into it. */
  let isTorn = false;
  const close = (): void => {
    if (opened) closeSync(opened.file);
    opened = undefined;
  };
  return {
    append(line) {
      if (opened && statSync(path, { throwIfNoEntry: false })?.ino !== opened.inode) close();
      opened ??= open(path);
      const bytes = Buffer.from(`${isTorn ? '\n' : ''}${line}\n`);
      const written = writeSync(opened.file, bytes);
      isTorn = written < bytes.length && (isTorn || written > 0);
      if (written < bytes.length) throw new Error('only a part of the line was written');
    },
    close,
  };
}

function open(path: string): { file: number; inode: number } {
  try {
    const found = statSync(path, { throwIfNoEntry: false });
    // Opening a pipe would wait for its reader.
    if (found && !found.isFile() && !found.isCharacterDevice()) throw new Error('it is not a plain file');
    const file = openSync(path, 'a', MODE);
    return { file, inode: fstatSync(file).ino };
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : (error as Error).message;
    throw new Error(
      `MCP_AUDIT_LOG is ${JSON.stringify(path)}: the file cannot be opened for appending (${reason}). Create its folder, let this process write to it, or choose another path.`,
      { cause: error },
    );
  }
}
