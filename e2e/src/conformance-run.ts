/** Runs the official conformance suite as a child process and reads what it wrote, check by check. */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A revision that the suite has enough scenarios for: of 2025-03-26 there is one, of 2024-11-05 none. */
export type Revision = '2026-07-28' | '2025-11-25' | '2025-06-18';

/** What the suite says of one check. */
export interface Check {
  status: string;
  /** What the suite has to say, for the message of a failing assertion. */
  message: string;
}

/** Checks by `scenario:check-id`; a check that occurs again has `#2`, `#3` behind it. */
export type Checks = ReadonlyMap<string, Check>;

interface WrittenCheck {
  id: string;
  status: string;
  errorMessage?: string;
}

const SUITE = fileURLToPath(import.meta.resolve('@modelcontextprotocol/conformance/dist/index.js'));
/** A run takes about three seconds; one that waits for answers that never come has a limit per scenario of its own. */
const RUN_TIMEOUT_MS = 60_000;
/** The folder of a scenario: `server-<scenario>-<time>`, or without `server-` when a client is tested. */
const FOLDER = /^(.+)-\d{4}-\d{2}-\d{2}T[\d-]+Z$/;

/** Revisions with a frozen list of what they require, and of what is run without being scored. */
const WITH_REQUIREMENTS: readonly Revision[] = ['2026-07-28', '2025-11-25'];

/** Runs what the revision requires; for older revisions, every scenario that there is for them. */
export function runRequirements(url: string, revision: Revision): Promise<Checks> {
  const which = WITH_REQUIREMENTS.includes(revision)
    ? ['--requirements', revision]
    : ['--suite', 'all', '--spec-version', revision];
  return run('server', ['--url', url, ...which]);
}

/** Runs one scenario for clients: the suite is the server and starts the command with its own URL behind it. */
export function runClientScenario(command: string, scenario: string, revision: Revision): Promise<Checks> {
  return run('client', ['--command', command, '--scenario', scenario, '--spec-version', revision]);
}

async function run(role: 'server' | 'client', args: readonly string[]): Promise<Checks> {
  const folder = await mkdtemp(join(tmpdir(), 'conformance-'));
  try {
    const output = await execute([SUITE, role, ...args, '--output-dir', folder]);
    const checks = await readChecks(folder, role === 'server' ? 'server-' : '');
    if (checks.size === 0) throw new Error(`The suite has written no checks for ${args.join(' ')}:\n${output}`);
    return checks;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Its exit code says that something failed; which checks did is in the files. */
function execute(args: readonly string[]): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const options = { timeout: RUN_TIMEOUT_MS, maxBuffer: 64 * 1024 * 1024 };
  execFile(process.execPath, args, options, (error, stdout, stderr) => {
    resolve(`${error?.killed ? 'It did not end in time. ' : ''}${stdout.slice(-2_000)}${stderr.slice(-2_000)}`);
  });
  return promise;
}

async function readChecks(folder: string, prefix: string): Promise<Checks> {
  const checks = new Map<string, Check>();
  for (const entry of (await readdir(folder)).toSorted()) {
    const scenario = FOLDER.exec(entry)?.[1]?.slice(prefix.length);
    if (scenario === undefined) continue;
    const written = JSON.parse(await readFile(join(folder, entry, 'checks.json'), 'utf8')) as WrittenCheck[];
    const seen = new Map<string, number>();
    for (const { id, status, errorMessage = '' } of written) {
      const count = (seen.get(id) ?? 0) + 1;
      seen.set(id, count);
      checks.set(`${scenario}:${id}${count > 1 ? `#${count}` : ''}`, { status, message: errorMessage });
    }
  }
  return checks;
}
