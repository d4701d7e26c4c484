/**
 * Seals what was rehearsed: a confirmation holds the number of rows and its end, and is bound by an HMAC to the statement,
 * its parameters, the role and the database. Whoever has the key can check it, so replicas share one; that it was used
 * before is known to the process that used it.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { ToolError } from '@database-mcp/errors';

/** What a confirmation is for; two rehearsals of the same have the same. */
export interface RehearsedWrite {
  instance: string;
  role: string;
  database: string;
  sql: string;
  params: readonly unknown[];
}

/** Makes and checks confirmations. */
export interface Confirmations {
  /** `rows` is what Postgres said were affected; undefined when it says nothing of rows. */
  seal(write: RehearsedWrite, rows: number | undefined): string;
  /** Gives the number of rows, and takes the confirmation out of use. Throws a ToolError that says why not. */
  redeem(confirm: string, write: RehearsedWrite): { rows: number | undefined };
}

/** Time to read the rehearsal and to ask a person. */
export const CONFIRM_WITHIN_MS = 5 * 60_000;

/** End (seconds since 1970) and rows (-1 for none) in 6 bytes each, 6 bytes of chance, and the shortened HMAC. */
const PAYLOAD_BYTES = 18;
const MAC_BYTES = 18;
const NO_ROWS = -1;
/** So many used confirmations are remembered until their end; more writes than that in five minutes are refused. */
const MAX_USED = 10_000;

/** Creates them; without a key from outside one is made that only this process knows. */
export function createConfirmations(key: string | undefined, now: () => number = Date.now): Confirmations {
  const secret = key === undefined ? randomBytes(32) : Buffer.from(key);
  /** Used confirmations with their end, in the order of their use. */
  const used = new Map<string, number>();

  const sign = (payload: Buffer, { instance, role, database, sql, params }: RehearsedWrite): Buffer => {
    const bound = JSON.stringify(['postgres_execute', instance, role, database, sql, params]);
    return createHmac('sha256', secret).update(payload).update(bound).digest().subarray(0, MAC_BYTES);
  };

  return {
    seal(write, rows) {
      const payload = Buffer.alloc(PAYLOAD_BYTES);
      payload.writeUIntBE(Math.ceil((now() + CONFIRM_WITHIN_MS) / 1000), 0, 6);
      payload.writeIntBE(rows ?? NO_ROWS, 6, 6);
      randomBytes(6).copy(payload, 12);
      return Buffer.concat([payload, sign(payload, write)]).toString('base64url');
    },
    redeem(confirm, write) {
      const bytes = Buffer.from(confirm, 'base64url');
      // Other texts can decode to the same bytes.
      const isWhole = bytes.length === PAYLOAD_BYTES + MAC_BYTES && bytes.toString('base64url') === confirm;
      if (!isWhole) throw refused('confirm is not a confirmation of this tool.');
      const payload = bytes.subarray(0, PAYLOAD_BYTES);
      if (!timingSafeEqual(bytes.subarray(PAYLOAD_BYTES), sign(payload, write))) {
        throw refused(
          'confirm does not belong to this sql and these params on this database, or another server process made it.',
        );
      }
      const end = payload.readUIntBE(0, 6) * 1000;
      if (end <= now()) throw refused('confirm has expired.');
      if (used.has(confirm)) throw refused('confirm was used before.');
      for (const [old, until] of used) if (until <= now()) used.delete(old);
      if (used.size >= MAX_USED)
        throw new ToolError({
          code: 'BUSY',
          message: 'Too many writes were confirmed lately.',
          hint: 'Try again in some minutes.',
        });
      used.set(confirm, end);
      const rows = payload.readIntBE(6, 6);
      return { rows: rows === NO_ROWS ? undefined : rows };
    },
  };
}

function refused(reason: string): ToolError {
  return new ToolError({
    code: 'INVALID_ARGUMENT',
    message: `${reason} Nothing was changed.`,
    hint: 'Call again without confirm to rehearse, then with the confirm that comes back, and the very same sql and params.',
  });
}
