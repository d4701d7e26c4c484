import { homedir, platform } from 'node:os';
import { join } from 'node:path';

const PRODUCT_FOLDER = 'database-mcp-gateway';

/** The folder for downloads that all runs and checkouts of this user share. */
export function getCacheFolder(): string {
  const configured = process.env['XDG_CACHE_HOME'];
  if (configured !== undefined && configured.startsWith('/')) return join(configured, PRODUCT_FOLDER);
  return join(homedir(), platform() === 'darwin' ? 'Library/Caches' : '.cache', PRODUCT_FOLDER);
}

/** A cache folder of the machine, which root can write and every user can read. */
export function getMachineCacheFolder(): string {
  return join(platform() === 'darwin' ? '/Library/Caches' : '/var/cache', PRODUCT_FOLDER);
}
