import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** A Java that Neo4j can run on. */
export interface Java {
  readonly command: string;
  readonly majorVersion: number;
  /** Everything that `java -version` says. */
  readonly description: string;
}

/** The lowest Java that Neo4j 5.26 runs on. */
export const MINIMUM_JAVA_VERSION = 17;

const VERSION_TIMEOUT_MS = 20_000;

/** There is no Java, or only one that is too old. */
export class JavaMissingError extends Error {
  constructor(found: string) {
    super(
      `Neo4j needs Java ${MINIMUM_JAVA_VERSION} or newer, and ${found}. Install it ` +
        '(Debian and Ubuntu: `apt install openjdk-17-jre-headless`; Fedora: `dnf install java-21-openjdk-headless`; ' +
        'macOS: `brew install openjdk@21`; Windows and others: a Temurin JRE), make sure that `java -version` works ' +
        'or set JAVA_HOME, and start again. A Neo4j that runs elsewhere can be used instead with --neo4j-uri.',
    );
    this.name = 'JavaMissingError';
  }
}

async function askVersion(command: string): Promise<Java | undefined> {
  try {
    const { stderr, stdout } = await promisify(execFile)(command, ['-version'], { timeout: VERSION_TIMEOUT_MS });
    const description = `${stderr}${stdout}`.trim();
    // `17.0.15`, `21`, `25-ea`, and `1.8.0_402` for 8.
    const match = /version "(?:1\.)?(\d+)/.exec(description);
    return match === null ? undefined : { command, majorVersion: Number(match[1]), description };
  } catch {
    // Also what the placeholder /usr/bin/java of macOS ends in when there is no Java.
    return undefined;
  }
}

/** Finds a Java that is new enough: that of JAVA_HOME, or the one on the PATH. */
export async function findJava(): Promise<Java> {
  const home = process.env['JAVA_HOME'];
  const commands = [...(home === undefined || home === '' ? [] : [join(home, 'bin', 'java')]), 'java'];
  const tooOld: Java[] = [];
  for (const command of commands) {
    const java = await askVersion(command);
    if (java === undefined) continue;
    if (java.majorVersion >= MINIMUM_JAVA_VERSION) return java;
    tooOld.push(java);
  }
  const [old] = tooOld;
  throw new JavaMissingError(
    old === undefined ? 'no working `java` was found' : `\`${old.command}\` is version ${old.majorVersion}`,
  );
}
