/** For tests: a connection URL as the target that it means. */
import { readFileSync } from 'node:fs';
import { parseUrl, toTarget, type Target } from './connection/target.ts';

/** Without TLS unless the URL says otherwise: what most tests are not about. */
export function targetOf(url: string): Target {
  const { parameters, problems } = parseUrl(url);
  if (problems.length > 0) throw new Error(problems.join('; '));
  return toTarget({ sslmode: 'disable', ...parameters }, (path) => readFileSync(path, 'utf8')).target;
}
