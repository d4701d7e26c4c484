import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** The user that Postgres runs as when we are root, which it refuses. */
export interface ServiceUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

const execute = promisify(execFile);

async function findUser(name: string): Promise<ServiceUser | undefined> {
  try {
    const [uid, gid] = await Promise.all([execute('id', ['-u', name]), execute('id', ['-g', name])]);
    return { name, uid: Number(uid.stdout), gid: Number(gid.stdout) };
  } catch {
    return undefined;
  }
}

/** Gives an existing user without rights when we are root; undefined when we can start Postgres as ourselves. */
export async function findServiceUser(): Promise<ServiceUser | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const user = (await findUser('postgres')) ?? (await findUser('nobody'));
  if (user !== undefined) return user;
  throw new Error(
    'Postgres refuses to run as root, and this machine has neither a user `postgres` nor a user `nobody`. ' +
      'Run the command as an ordinary user, or create a user named `postgres`.',
  );
}
