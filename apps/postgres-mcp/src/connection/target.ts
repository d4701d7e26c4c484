/**
 * Where and how to connect, read as libpq reads it (documentation §32.1): a connection URI, and for what it leaves out
 * the `PG*` variables. Pure: files are read by the function that is given.
 */

/** How much TLS is asked for, as libpq means it. */
export const SSL_MODES = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const;
/** What a server must be, as libpq means it. */
export const SESSION_ATTRS = ['any', 'read-write', 'read-only', 'primary', 'standby', 'prefer-standby'] as const;

export type SslMode = (typeof SSL_MODES)[number];
export type SessionAttrs = (typeof SESSION_ATTRS)[number];

/** A server that can be tried; a host that begins with `/` is the folder of a Unix socket. */
export interface Host {
  host: string;
  port: number;
}

/** Everything about a connection. Certificates are PEM text. */
export interface Target {
  /** In the order in which they are tried. */
  hosts: readonly Host[];
  user: string;
  password?: string;
  database: string;
  sslMode: SslMode;
  /** Of the authorities that are trusted; without it those that Node knows. */
  ca?: string;
  cert?: string;
  key?: string;
  sessionAttrs: SessionAttrs;
  applicationName?: string;
  /** Command line options for the server process. */
  options?: string;
}

/** The parameters of libpq that count here, by their names in a URI. */
export type Parameters = Partial<
  Record<
    | 'host'
    | 'port'
    | 'user'
    | 'password'
    | 'dbname'
    | 'sslmode'
    | 'sslrootcert'
    | 'sslcert'
    | 'sslkey'
    | 'target_session_attrs'
    | 'application_name'
    | 'options',
    string
  >
>;

const KNOWN: ReadonlySet<string> = new Set([
  'host', 'port', 'user', 'password', 'dbname', 'sslmode', 'sslrootcert', 'sslcert', 'sslkey', 'target_session_attrs',
  'application_name', 'options',
]); // prettier-ignore

/** Others of libpq and of other drivers that change nothing of what is done here anyway. */
const WITHOUT_EFFECT: ReadonlySet<string> = new Set([
  'connect_timeout', 'client_encoding', 'fallback_application_name', 'keepalives', 'keepalives_idle',
  'keepalives_interval', 'keepalives_count', 'tcp_user_timeout', 'gssencmode', 'sslcompression', 'sslsni',
  'uselibpqcompat', 'channel_binding', 'pgbouncer', 'schema',
]); // prettier-ignore

const DEFAULT_PORT = 5432;
const URL_FORM =
  'it must look like postgresql://user:password@host:5432/database (special characters in the password as %XX)';

/** Reads a connection URI. Problems are sentences that show none of its values but the names of parameters. */
export function parseUrl(text: string): { parameters: Parameters; problems: string[] } {
  const found = /^postgres(?:ql)?:\/\/([^/?#]*)(?:\/([^?#]*))?(?:\?([^#]*))?$/.exec(text);
  if (!found) return { parameters: {}, problems: [URL_FORM] };
  const [, authority = '', path = '', query = ''] = found;
  const parameters: Parameters = {};
  const problems: string[] = [];
  const set = (name: keyof Parameters, value: string): void => {
    const decoded = decode(value);
    if (decoded === undefined) problems.push(`a % in its ${name} is not followed by two hexadecimal digits; write %25`);
    else if (decoded !== '') parameters[name] = decoded;
  };
  const at = authority.lastIndexOf('@');
  if (at !== -1) {
    const [, user = '', password] = /^([^:]*)(?::(.*))?$/s.exec(authority.slice(0, at)) ?? [];
    set('user', user);
    if (password !== undefined) set('password', password);
  }
  const servers = authority.slice(at + 1).split(',').map((server) => /^(\[[^\]]*\]|[^:]*)(?::(.*))?$/.exec(server) ?? []); // prettier-ignore
  if (servers.some(([whole]) => whole === undefined)) problems.push(URL_FORM);
  set('host', servers.map(([, host = '']) => host.replace(/^\[|\]$/g, '')).join());
  if (servers.some(([, , port]) => port)) set('port', servers.map(([, , port = '']) => port).join());
  set('dbname', path);
  for (const part of query.split('&').filter(Boolean)) {
    const [name = '', value = ''] = part.split(/=(.*)/s);
    if (KNOWN.has(name)) set(name as keyof Parameters, value);
    else if (name === 'ssl' && /^(true|1)$/.test(value)) parameters.sslmode ??= 'require';
    else if (!WITHOUT_EFFECT.has(name)) problems.push(`it has the unknown parameter ${JSON.stringify(name)}`);
  }
  if (parameters.host !== undefined && /^,*$/.test(parameters.host)) delete parameters.host;
  return { parameters, problems };
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** What is wrong with a parameter. */
export interface Problem {
  parameter: keyof Parameters;
  message: string;
}

/** Completes parameters to a target. `readFile` gives the text of a certificate. */
export function toTarget(
  parameters: Parameters,
  readFile: (path: string) => string,
): { target: Target; problems: Problem[] } {
  const problems: Problem[] = [];
  const choose = <T extends string>(name: keyof Parameters, choices: readonly T[], fallback: T): T => {
    const value = parameters[name];
    if (value === undefined) return fallback;
    if ((choices as readonly string[]).includes(value)) return value as T;
    problems.push({ parameter: name, message: `is ${JSON.stringify(value)}: it must be one of ${choices.join(', ')}` });
    return fallback;
  };
  const read = (name: 'sslrootcert' | 'sslcert' | 'sslkey'): string | undefined => {
    const path = parameters[name];
    if (path === undefined || (name === 'sslrootcert' && path === 'system')) return undefined;
    try {
      return readFile(path);
    } catch (error) {
      const reason = error instanceof Error && 'code' in error ? String(error.code) : String(error);
      problems.push({ parameter: name, message: `names the file ${path}, which cannot be read (${reason})` });
      return undefined;
    }
  };
  const user = parameters.user ?? 'postgres';
  const sslMode = choose('sslmode', SSL_MODES, parameters.sslrootcert === 'system' ? 'verify-full' : 'prefer');
  const target: Target = {
    hosts: toHosts(parameters, problems),
    user,
    password: parameters.password,
    database: parameters.dbname ?? user,
    sslMode,
    ca: read('sslrootcert'),
    cert: read('sslcert'),
    key: read('sslkey'),
    sessionAttrs: choose('target_session_attrs', SESSION_ATTRS, 'any'),
    applicationName: parameters.application_name,
    options: parameters.options,
  };
  if (sslMode === 'verify-ca' && parameters.sslrootcert === undefined) {
    problems.push({
      parameter: 'sslmode',
      message: 'is "verify-ca": that needs sslrootcert (PGSSLROOTCERT), the file with the certificate of the authority',
    });
  }
  if (sslMode !== 'verify-full' && parameters.sslrootcert === 'system') {
    problems.push({
      parameter: 'sslrootcert',
      message:
        'is "system": that needs sslmode=verify-full, because anybody can get a certificate of a public authority',
    });
  }
  if ((target.cert === undefined) !== (target.key === undefined) && problems.length === 0) {
    problems.push({ parameter: 'sslcert', message: 'and sslkey (PGSSLKEY) belong together: give both' });
  }
  return { target, problems };
}

function toHosts(parameters: Parameters, problems: Problem[]): Host[] {
  const hosts = (parameters.host ?? '').split(',').map((host) => host.trim() || 'localhost');
  const ports = (parameters.port ?? '').split(',').map((port) => (port.trim() === '' ? DEFAULT_PORT : Number(port)));
  if (ports.some((port) => !Number.isInteger(port) || port < 1 || port > 65_535)) {
    problems.push({
      parameter: 'port',
      message: `is ${JSON.stringify(parameters.port)}: a port is a whole number from 1 to 65535`,
    });
  }
  if (ports.length > 1 && ports.length !== hosts.length) {
    problems.push({
      parameter: 'port',
      message: `has ${ports.length} ports for ${hosts.length} hosts: give one for all, or one for each`,
    });
  }
  return hosts.map((host, index) => ({ host, port: ports[ports.length === 1 ? 0 : index] ?? DEFAULT_PORT }));
}

/** The target as a URI without its secrets. */
export function describeTarget({ user, password, hosts, database, sslMode, sessionAttrs }: Target): string {
  const servers = hosts.map(({ host, port }) => {
    const shown = host.includes(':') ? `[${host}]` : encodeURIComponent(host);
    return `${shown}:${port}`;
  });
  const attrs = sessionAttrs === 'any' ? '' : `&target_session_attrs=${sessionAttrs}`;
  const secret = password === undefined ? '' : ':***';
  const place = `${encodeURIComponent(user)}${secret}@${servers.join()}/${encodeURIComponent(database)}`;
  return `postgresql://${place}?sslmode=${sslMode}${attrs}`;
}

/** TLS options as Node takes them; false is a connection without TLS. */
export type TlsOptions = false | { rejectUnauthorized?: boolean; ca?: string; cert?: string; key?: string; checkServerIdentity?: () => undefined }; // prettier-ignore

/** One way to connect. */
export interface Attempt extends Host {
  ssl: TlsOptions;
  /** What the server must be. */
  session: Exclude<SessionAttrs, 'prefer-standby'>;
}

/** All ways to connect, in the order in which they are tried. */
export function toAttempts(target: Target): Attempt[] {
  const sessions: Attempt['session'][] =
    target.sessionAttrs === 'prefer-standby' ? ['standby', 'any'] : [target.sessionAttrs];
  return sessions.flatMap((session) =>
    target.hosts.flatMap((place) => toTlsOptions(target, place).map((ssl) => ({ ...place, ssl, session }))),
  );
}

/** Whether a server is what is asked for. */
export function isSession(wanted: Attempt['session'], isStandby: boolean, isReadOnly: boolean): boolean {
  const is: Record<Attempt['session'], boolean> = {
    any: true,
    standby: isStandby,
    primary: !isStandby,
    'read-only': isStandby || isReadOnly,
    'read-write': !isStandby && !isReadOnly,
  };
  return is[wanted];
}

function toTlsOptions({ sslMode, ca, cert, key }: Target, { host }: Host): TlsOptions[] {
  const own = { ...(cert === undefined ? {} : { cert }), ...(key === undefined ? {} : { key }) };
  const trusted = ca === undefined ? own : { ...own, ca };
  const unchecked = { ...own, rejectUnauthorized: false };
  // As libpq: no TLS on a Unix socket, and `require` with a CA file checks the authority.
  if (host.startsWith('/')) return [false];
  const ways: Record<SslMode, TlsOptions[]> = {
    disable: [false],
    allow: [false, unchecked],
    prefer: [unchecked, false],
    require: [ca === undefined ? unchecked : { ...trusted, checkServerIdentity: () => undefined }],
    'verify-ca': [{ ...trusted, checkServerIdentity: () => undefined }],
    'verify-full': [trusted],
  };
  return ways[sslMode];
}
