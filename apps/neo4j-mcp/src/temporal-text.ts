/** Neo4j's temporal values as the text that its own `toString()` gives. */

/** A part of a temporal value: the driver gives `bigint` or `number`. */
export type Whole = bigint | number;

/** Year, month and day. */
export interface DateParts {
  year: Whole;
  month: Whole;
  day: Whole;
}

/** The time of a day. */
export interface TimeParts {
  hour: Whole;
  minute: Whole;
  second: Whole;
  nanosecond: Whole;
}

/** A zone: its offset, its name, or both. */
export interface ZoneParts {
  timeZoneOffsetSeconds?: Whole | null;
  timeZoneId?: string | null;
}

/** A duration; its four parts do not convert into each other, except nanoseconds into seconds. */
export interface DurationParts {
  months: Whole;
  days: Whole;
  seconds: Whole;
  nanoseconds: Whole;
}

const NANOS_PER_SECOND = 1_000_000_000n;
const SECONDS_PER_MINUTE = 60;
const SECONDS_PER_HOUR = 3_600;

/** `2024-02-29`; years outside 0 to 9999 carry a sign. */
export function toDateText(value: DateParts): string {
  const year = Number(value.year);
  const digits = String(Math.abs(year)).padStart(4, '0');
  const sign = year < 0 ? '-' : year > 9999 ? '+' : '';
  return `${sign}${digits}-${twoDigits(value.month)}-${twoDigits(value.day)}`;
}

/** `12:00:00.000000006`, without a fraction when there is none. */
export function toTimeText(value: TimeParts): string {
  const whole = `${twoDigits(value.hour)}:${twoDigits(value.minute)}:${twoDigits(value.second)}`;
  return whole + toFraction(BigInt(value.nanosecond));
}

/** `+01:00[Europe/Zurich]`, `Z`. */
export function toZoneText({ timeZoneOffsetSeconds, timeZoneId }: ZoneParts): string {
  const name = timeZoneId ? `[${timeZoneId}]` : '';
  if (timeZoneOffsetSeconds === undefined || timeZoneOffsetSeconds === null) return name;
  const offset = Number(timeZoneOffsetSeconds);
  if (offset === 0) return `Z${name}`;
  const size = Math.abs(offset);
  const seconds = size % SECONDS_PER_MINUTE;
  const parts = [Math.floor(size / SECONDS_PER_HOUR), Math.floor(size / SECONDS_PER_MINUTE) % 60];
  if (seconds > 0) parts.push(seconds);
  return `${offset < 0 ? '-' : '+'}${parts.map(twoDigits).join(':')}${name}`;
}

/** `P1Y2M400DT25H1M1.5S`; each part has its own sign, as Neo4j prints it. */
export function toDurationText(value: DurationParts): string {
  const months = BigInt(value.months);
  const nanoseconds = BigInt(value.seconds) * NANOS_PER_SECOND + BigInt(value.nanoseconds);
  const date = part(months / 12n, 'Y') + part(months % 12n, 'M') + part(BigInt(value.days), 'D');
  const sign = nanoseconds < 0n ? '-' : '';
  const size = nanoseconds < 0n ? -nanoseconds : nanoseconds;
  const seconds = size / NANOS_PER_SECOND;
  const rest = `${(seconds % 60n).toString()}${toFraction(size % NANOS_PER_SECOND)}`;
  const hours = seconds / 3_600n;
  const minutes = (seconds / 60n) % 60n;
  const time =
    (hours > 0n ? `${sign}${hours}H` : '') +
    (minutes > 0n ? `${sign}${minutes}M` : '') +
    (rest === '0' ? '' : `${sign}${rest}S`);
  if (time === '') return date === '' ? 'PT0S' : `P${date}`;
  return `P${date}T${time}`;
}

function part(value: bigint, unit: string): string {
  return value === 0n ? '' : `${value}${unit}`;
}

function toFraction(nanoseconds: bigint): string {
  return nanoseconds === 0n ? '' : `.${nanoseconds.toString().padStart(9, '0').replace(/0+$/, '')}`;
}

function twoDigits(value: Whole): string {
  return String(value).padStart(2, '0');
}
