import type { Setting } from './settings.ts';

/** The URL without its password and query, fit for a log or an error. Text that is no URL is hidden whole. */
export function redactUrl(text: string): string {
  if (!URL.canParse(text)) return '(hidden)';
  const url = new URL(text);
  if (url.password) url.password = '***';
  if (url.search) url.search = '?***';
  return url.href;
}

/** The effective settings by variable name, fit for the log: secrets and passwords in URLs are `***`, absent ones are left out. */
export function redactSettings(
  table: Record<string, Setting>,
  values: Record<string, unknown>,
): Record<string, unknown> {
  const shown: Record<string, unknown> = {};
  for (const [key, setting] of Object.entries(table)) {
    if (values[key] === undefined) continue;
    shown[setting.env] = setting.secret ? '***' : hidePassword(values[key]);
  }
  return shown;
}

function hidePassword(value: unknown): unknown {
  const url = typeof value === 'string' ? URL.parse(value) : null;
  return url?.password ? redactUrl(url.href) : value;
}
