/**
 * Tells when a file may have another content. Watches folders, not the file: editors and configuration managers replace
 * files by renaming, and Kubernetes swaps a symbolic link (`..data`) in the path instead of touching the file.
 */
import { lstatSync, readlinkSync, watch, type FSWatcher } from 'node:fs';
import { dirname, isAbsolute, join, parse, relative, resolve, sep } from 'node:path';

/** Options of {@link watchFile}. */
export interface WatchFileOptions {
  /** Called some time after the last of a burst of changes in the folder; not every one of them changes the file. */
  onChange: () => void;
  /** The operating system refuses to watch; the file is looked at regularly instead. */
  onProblem?: (reason: string) => void;
  quietMs?: number;
  pollMs?: number;
}

/** Editors write in several steps within some milliseconds. */
const QUIET_MS = 100;
/** A folder in which something is written without a pause must not put the change off for ever. */
const MAX_DELAY_MS = 1_000;
/** Where folders cannot be watched. */
const POLL_MS = 2_000;
/** A chain of links longer than this is a loop (Linux allows 40). */
const MAX_LINKS = 40;

/** Watches until it is closed. */
export function watchFile(path: string, options: WatchFileOptions): { close(): void } {
  const quietMs = options.quietMs ?? QUIET_MS;
  const watchers = new Map<string, FSWatcher>();
  let timer: NodeJS.Timeout | undefined;
  let firstAt: number | undefined;
  let poll: NodeJS.Timeout | undefined;
  const fire = (): void => {
    firstAt = undefined;
    // A link may lead elsewhere now.
    follow();
    options.onChange();
  };
  const noteEvent = (): void => {
    const now = performance.now();
    firstAt ??= now;
    clearTimeout(timer);
    timer = setTimeout(fire, Math.max(0, Math.min(quietMs, firstAt + MAX_DELAY_MS - now)));
  };
  const drop = (folder: string): void => {
    watchers.get(folder)?.close();
    watchers.delete(folder);
  };
  const give = (error: unknown): void => {
    if (poll !== undefined) return;
    options.onProblem?.(error instanceof Error && 'code' in error ? String(error.code) : String(error));
    poll = setInterval(fire, options.pollMs ?? POLL_MS);
  };
  const follow = (): void => {
    const folders = listFolders(path);
    for (const folder of watchers.keys()) if (!folders.has(folder)) drop(folder);
    for (const folder of folders) {
      if (watchers.has(folder)) continue;
      try {
        const watcher = watch(folder, { persistent: false }, noteEvent);
        watcher.on('error', (error) => {
          drop(folder);
          give(error);
        });
        watchers.set(folder, watcher);
      } catch (error) {
        give(error);
      }
    }
  };
  follow();
  return {
    close: () => {
      clearTimeout(timer);
      clearInterval(poll);
      for (const folder of watchers.keys()) drop(folder);
    },
  };
}

/** The folder of the file, and the folders of every symbolic link on the way to it: a change in any may change the file. */
function listFolders(path: string): Set<string> {
  const folders = new Set<string>();
  let rest = resolve(path);
  folders.add(dirname(rest));
  for (let links = 0; links < MAX_LINKS; links++) {
    const link = findLink(rest);
    if (link === undefined) break;
    folders.add(dirname(link));
    const target = readlinkSync(link);
    const end = isAbsolute(target) ? target : join(dirname(link), target);
    rest = join(end, relative(link, rest));
    folders.add(dirname(rest));
  }
  return folders;
}

/** The first part of the path that is a symbolic link. */
function findLink(path: string): string | undefined {
  const { root } = parse(path);
  let at = root;
  for (const part of path.slice(root.length).split(sep)) {
    at = join(at, part);
    const stats = lstatSync(at, { throwIfNoEntry: false });
    if (stats === undefined) return undefined;
    if (stats.isSymbolicLink()) return at;
  }
  return undefined;
}
