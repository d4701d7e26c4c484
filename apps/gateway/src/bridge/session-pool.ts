/**
 * Sessions with one legacy server that declare what clients can be asked, by what they declare. A call has a session for
 * itself as long as there are enough, so that what the server asks is known to be of that call; idle ones are closed.
 * Where a session is a process, calls share the one that declares the same, and it stays.
 */
import type { AskKey } from '../asks/client-capabilities.ts';
import { CarrierError } from './carrier.ts';
import type { LegacySession } from './legacy-session.ts';

/** What a pool needs. */
export interface SessionPoolOptions {
  /** Makes a session that is not open yet. */
  create: (key: AskKey) => LegacySession;
  maxSessions: number;
  /** One session serves all calls that declare the same. */
  isShared: boolean;
  /** For how long a session of nobody is kept; undefined: until its place is needed. */
  idleMs?: number;
}

/** The use of a session by one call. */
export interface SessionLease {
  readonly session: LegacySession;
  release(): void;
}

interface Entry {
  key: AskKey;
  session: LegacySession;
  opened: Promise<void>;
  users: number;
  /** Serves no new calls. */
  isRetired: boolean;
  idleTimer?: NodeJS.Timeout;
}

/** The sessions of one upstream. */
export class SessionPool {
  readonly #options: SessionPoolOptions;
  readonly #entries = new Set<Entry>();

  constructor(options: SessionPoolOptions) {
    this.#options = options;
  }

  /** A session that declares this. Rejects with a {@link CarrierError}. */
  async acquire(key: AskKey): Promise<SessionLease> {
    const entry = this.#find(key);
    entry.users++;
    clearTimeout(entry.idleTimer);
    let isReleased = false;
    const release = (): void => {
      if (isReleased) return;
      isReleased = true;
      entry.users--;
      if (entry.users === 0) this.#idle(entry);
    };
    try {
      await entry.opened;
    } catch (error) {
      entry.isRetired = true;
      release();
      throw error;
    }
    return { session: entry.session, release };
  }

  /** The session gets no new calls; it is closed when its last one has ended. */
  retire(session: LegacySession): void {
    for (const entry of this.#entries) if (entry.session === session) this.#retire(entry);
  }

  async close(): Promise<void> {
    const entries = [...this.#entries];
    this.#entries.clear();
    for (const { idleTimer } of entries) clearTimeout(idleTimer);
    await Promise.all(entries.map(({ session }) => session.close()));
  }

  #find(key: AskKey): Entry {
    const all = [...this.#entries].filter(({ isRetired }) => !isRetired);
    const own = all.filter((entry) => entry.key === key).toSorted((a, b) => a.users - b.users);
    const [best] = own;
    const { maxSessions, isShared } = this.#options;
    if (best && (best.users === 0 || isShared)) return best;
    const isFull = this.#entries.size >= maxSessions;
    const unused = isFull ? all.find(({ users }) => users === 0) : undefined;
    if (unused) this.#retire(unused);
    if (!isFull || unused) return this.#add(key);
    if (best) return best;
    throw new CarrierError({ kind: 'busy', limit: maxSessions }, `all of its ${maxSessions} sessions are in use`);
  }

  #add(key: AskKey): Entry {
    const session = this.#options.create(key);
    const opened = session.open();
    // Whoever asked for it hears of it; should that one be gone, nobody has to.
    opened.catch(() => {});
    const entry: Entry = { key, session, opened, users: 0, isRetired: false };
    this.#entries.add(entry);
    return entry;
  }

  #retire(entry: Entry): void {
    entry.isRetired = true;
    if (entry.users === 0) this.#idle(entry);
  }

  #idle(entry: Entry): void {
    clearTimeout(entry.idleTimer);
    const { idleMs } = this.#options;
    if (!entry.isRetired) {
      if (idleMs !== undefined) entry.idleTimer = setTimeout(() => this.#retire(entry), idleMs);
    } else if (this.#entries.delete(entry)) void entry.session.close();
  }
}
