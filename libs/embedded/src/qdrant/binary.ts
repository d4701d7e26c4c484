import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** Where to look for the real Qdrant. */
export interface BinaryPlaces {
  /** The value of QDRANT_BINARY. */
  readonly named: string | undefined;
  /** The value of PATH. */
  readonly searchPath: string | undefined;
}

/** The `qdrant` program of this machine, or undefined; a name that leads nowhere is an error. */
export function findQdrantBinary({ named, searchPath }: BinaryPlaces): string | undefined {
  if (named !== undefined && named !== '') {
    const path = resolve(named);
    if (isProgram(path)) return path;
    throw new Error(
      `QDRANT_BINARY names ${path}, which is not a program that can be run. ` +
        'Correct it, or unset it to use the qdrant on PATH or the stand-in.',
    );
  }
  const folders = (searchPath ?? '').split(delimiter).filter((folder) => folder !== '');
  return folders.map((folder) => resolve(join(folder, 'qdrant'))).find(isProgram);
}
