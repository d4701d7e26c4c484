/** Date and time texts in the spellings that the server accepts. */

const DATE_TIME =
  /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(Z|z|[+-]\d\d:?\d\d|[+-]\d\d)?)?$/;

function offsetMinutes(zone: string | undefined): number {
  if (zone === undefined || zone.toUpperCase() === 'Z') return 0;
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.replace(':', '').slice(3));
  return zone.startsWith('-') ? -minutes : minutes;
}

/** Microseconds since 1970 (UTC when no zone is given), or undefined when the text is no date. */
export function toMicroseconds(text: string): bigint | undefined {
  const parts = DATE_TIME.exec(text);
  if (parts === null) return undefined;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts
    .slice(1, 7)
    .map((part) => Number(part ?? 0));
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  date.setUTCHours(hour, minute, second);
  const isReal =
    date.getUTCMonth() === month - 1 && date.getUTCDate() === day && hour < 24 && minute < 60 && second < 60;
  if (!isReal) return undefined;
  const fraction = BigInt((parts[7] ?? '').padEnd(6, '0').slice(0, 6));
  return (BigInt(date.getTime()) - BigInt(offsetMinutes(parts[8]) * 60_000)) * 1000n + fraction;
}
