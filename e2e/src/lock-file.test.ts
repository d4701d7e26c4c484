import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { repositoryRoot } from '@database-mcp/testing';

interface LockedPackage {
  resolved?: string;
  optionalDependencies?: Record<string, string>;
}

const lock = JSON.parse(await readFile(join(repositoryRoot, 'package-lock.json'), 'utf8')) as {
  packages: Record<string, LockedPackage>;
};

/** Platforms that the project promises; the names are those that packages use for them. */
const PLATFORMS = [/linux.x64/, /linux.arm64/, /darwin.x64/, /darwin.arm64/];

test('the lock file holds every platform binary, so that npm ci works on Linux and macOS, x64 and arm64', () => {
  const families = Object.entries(lock.packages).flatMap(([place, { optionalDependencies = {} }]) => {
    const binaries = Object.keys(optionalDependencies).filter((name) =>
      PLATFORMS.some((platform) => platform.test(name)),
    );
    return binaries.length > 1 ? [{ place, binaries }] : [];
  });
  assert.ok(families.length >= 5, `only ${families.length} packages with binaries were found`);
  for (const { place, binaries } of families) {
    for (const platform of PLATFORMS) {
      const named = binaries.filter((name) => platform.test(name));
      const locked = named.filter(
        (name) => `${place}/node_modules/${name}` in lock.packages || `node_modules/${name}` in lock.packages,
      );
      assert.deepEqual(locked, named, `${place} on ${platform}`);
    }
  }
});

test('the lock file names no download host', () => {
  const hosts = Object.entries(lock.packages).filter(([, { resolved }]) => resolved?.startsWith('http'));
  assert.deepEqual(hosts, []);
});
