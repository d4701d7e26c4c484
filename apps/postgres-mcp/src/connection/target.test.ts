import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeTarget, isSession, parseUrl, toAttempts, toTarget, type Parameters, type SslMode } from './target.ts';

const URLS: { url: string; is: Parameters; why: string }[] = [
  { url: 'postgresql://', is: {}, why: 'everything by default' },
  { url: 'postgres://u:p@h:1/d', is: { user: 'u', password: 'p', host: 'h', port: '1', dbname: 'd' }, why: 'the common form' },
  { url: 'postgresql://u:p%40ss%2Fw%3Ard@h/d', is: { user: 'u', password: 'p@ss/w:rd', host: 'h', dbname: 'd' }, why: 'escaped characters' },
  { url: 'postgresql://u:p@ss:word@h/d', is: { user: 'u', password: 'p@ss:word', host: 'h', dbname: 'd' }, why: 'an @ that nobody escaped' },
  { url: 'postgresql://a:1,b,c:3/d', is: { host: 'a,b,c', port: '1,,3', dbname: 'd' }, why: 'several hosts' },
  { url: 'postgresql://[::1]:5433,[fe80::1]/d', is: { host: '::1,fe80::1', port: '5433,', dbname: 'd' }, why: 'IPv6' },
  { url: 'postgresql://%2Fvar%2Frun%2Fpostgresql/d', is: { host: '/var/run/postgresql', dbname: 'd' }, why: 'a Unix socket' },
  { url: 'postgresql:///d?host=/run&port=1&user=u&password=p', is: { dbname: 'd', host: '/run', port: '1', user: 'u', password: 'p' }, why: 'all as parameters' },
  { url: 'postgresql://h/?options=-c%20geqo%3Doff&application_name=a%20b', is: { host: 'h', options: '-c geqo=off', application_name: 'a b' }, why: 'options' },
  { url: 'postgresql://h/d?ssl=true', is: { host: 'h', dbname: 'd', sslmode: 'require' }, why: 'as other drivers write it' },
  { url: 'postgresql://h/d?connect_timeout=5&keepalives=1', is: { host: 'h', dbname: 'd' }, why: 'parameters without effect here' },
]; // prettier-ignore

for (const { url, is, why } of URLS) {
  test(`${url} is read as libpq reads it (${why})`, () =>
    assert.deepEqual(parseUrl(url), { parameters: is, problems: [] }));
}

const read = (parameters: Parameters) => toTarget(parameters, (path) => `PEM of ${path}`);

test('what is left out has the defaults of libpq; the database is named like the user', () => {
  const { target, problems } = read({ user: 'ann' });
  assert.deepEqual(problems, []);
  assert.deepEqual(
    [target.hosts, target.database, target.sslMode, target.sessionAttrs],
    [[{ host: 'localhost', port: 5432 }], 'ann', 'prefer', 'any'],
  );
});

test('one port is for all hosts, or each has its own', () => {
  assert.deepEqual(read({ host: 'a,b', port: '7' }).target.hosts.map(({ port }) => port), [7, 7]); // prettier-ignore
  assert.deepEqual(read({ host: 'a,b', port: '7,' }).target.hosts.map(({ port }) => port), [7, 5432]); // prettier-ignore
});

const checks = (ssl: ReturnType<typeof toAttempts>[number]['ssl']): string => {
  if (ssl === false) return 'no TLS';
  if (ssl.rejectUnauthorized === false) return 'unchecked';
  return ssl.checkServerIdentity ? `authority ${ssl.ca}` : `authority and host ${ssl.ca ?? 'public'}`;
};

const MODES: { sslmode: SslMode; sslrootcert?: string; are: string[]; why: string }[] = [
  { sslmode: 'disable', are: ['no TLS'], why: 'never' },
  { sslmode: 'allow', are: ['no TLS', 'unchecked'], why: 'only when the server insists' },
  { sslmode: 'prefer', are: ['unchecked', 'no TLS'], why: 'when the server can' },
  { sslmode: 'require', are: ['unchecked'], why: 'always, whoever it is' },
  { sslmode: 'require', sslrootcert: 'f', are: ['authority PEM of f'], why: 'with a CA file as verify-ca' },
  { sslmode: 'verify-ca', sslrootcert: 'f', are: ['authority PEM of f'], why: 'any host of that authority' },
  { sslmode: 'verify-full', sslrootcert: 'f', are: ['authority and host PEM of f'], why: 'that host' },
  { sslmode: 'verify-full', are: ['authority and host public'], why: 'that host, by a public authority' },
  { sslmode: 'verify-full', sslrootcert: 'system', are: ['authority and host public'], why: 'the same said' },
];

for (const { are, why, ...parameters } of MODES) {
  test(`${JSON.stringify(parameters)} is tried as ${are.join(', then ')} (${why})`, () =>
    assert.deepEqual(toAttempts(read(parameters).target).map(({ ssl }) => checks(ssl)), are)); // prettier-ignore
}

test('a Unix socket needs no TLS, whatever is asked for', () =>
  assert.deepEqual(toAttempts(read({ host: '/run', sslmode: 'require' }).target).map(({ ssl }) => ssl), [false])); // prettier-ignore

test('prefer-standby tries all hosts for a standby before it takes any', () => {
  const attempts = toAttempts(read({ host: 'a,b', sslmode: 'disable', target_session_attrs: 'prefer-standby' }).target);
  assert.deepEqual(attempts.map(({ host, session }) => `${host} ${session}`), ['a standby', 'b standby', 'a any', 'b any']); // prettier-ignore
});

const fits = (isStandby: boolean, isReadOnly: boolean): string[] =>
  (['any', 'primary', 'standby', 'read-write', 'read-only'] as const).filter((attrs) =>
    isSession(attrs, isStandby, isReadOnly),
  );

test('what a server is decides whether it is what is asked for', () => {
  assert.deepEqual(fits(false, false), ['any', 'primary', 'read-write']);
  assert.deepEqual(fits(false, true), ['any', 'primary', 'read-only']);
  assert.deepEqual(fits(true, true), ['any', 'standby', 'read-only']);
});

test('the description of a target can be read again and has no secret', () => {
  const { target } = read({ host: 'a,::1,/run', port: '1,2,3', user: 'a b', password: 'hunter2', dbname: 'd/e', options: '-c x=hunter2' }); // prettier-ignore
  const text = describeTarget(target);
  assert.equal(text, 'postgresql://a%20b:***@a:1,[::1]:2,%2Frun:3/d%2Fe?sslmode=prefer');
  assert.deepEqual(read(parseUrl(text).parameters).target.hosts, target.hosts);
});
