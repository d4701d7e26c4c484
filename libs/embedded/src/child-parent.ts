import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';

/** A Node process made for a test, which starts something and can then be ended in any way. */
export interface ChildParent<Facts> {
  readonly child: ChildProcess;
  /** What its script passed to `tell`. */
  readonly facts: Facts;
}

/** Runs a script that imports this package as `embedded` and the guard as `guard`, idles (`clearInterval(idle)` ends that), until it has called `tell(facts)`. */
export async function startChildParent<Facts>(script: string, environment = process.env): Promise<ChildParent<Facts>> {
  const source = `
    const embedded = await import(${JSON.stringify(new URL('index.ts', import.meta.url).href)});
    const guard = await import(${JSON.stringify(new URL('guard.ts', import.meta.url).href)});
    const tell = (facts) => console.log(JSON.stringify(facts));
    const idle = setInterval(() => {}, 1000);
    ${script}`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: environment,
    // A group of its own, so that a test can kill the whole group without hitting the test runner.
    detached: true,
  });
  return await new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).once('line', (line) =>
      resolve({ child, facts: JSON.parse(line) as Facts }),
    );
    child.once('exit', () => reject(new Error('The script ended before it told anything.')));
  });
}
