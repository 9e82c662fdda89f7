import { homedir } from 'node:os';
import { join, relative } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { openStore, placeOf } from '../../src/store/open.ts';
import { postgresAddress } from '../../src/store/postgres/address.ts';
import { scratch } from '../scratch.ts';

async function locationOf(url: string | undefined, dataDir = scratch()): Promise<string> {
  const store = await openStore({ url, durability: 'normal', dataDir });
  onTestFinished(() => store.close());
  return store.location;
}

test('without a URL the store is a file in the data folder', async () => {
  const folder = scratch();
  expect(await locationOf(undefined, folder)).toBe(join(folder, 'sessions.db'));
});

test('sqlite: takes a path as it stands', async () => {
  const folder = scratch();
  for (let again = 0; again < 2; again++)
    expect(await locationOf(`sqlite:${join(folder, 'a b%20c?d#e.db')}`)).toBe(join(folder, 'a b%20c?d#e.db'));
  expect(await locationOf(`sqlite:${relative(process.cwd(), join(folder, 'x.db'))}`)).toBe(
    join(folder, 'x.db'),
  );
  expect(await locationOf(`SQLite://${join(folder, 'y.db')}`)).toBe(join(folder, 'y.db'));
  const fromHome = relative(homedir(), join(folder, 'z.db'));
  expect(await locationOf(`sqlite:~/${fromHome}`)).toBe(join(folder, 'z.db'));
});

test('memory: is there for one opener alone', async () => {
  expect(await locationOf('memory:')).toBe('memory');
});

test.each([
  ['redis://ada:hunter2@host', 'redis://host/0'],
  ['RediSS://:hunter2@host:7000/3', 'rediss://host:7000/3'],
  ['valkey://host/1?prefix=team', 'valkey://host/1?prefix=team'],
  ['valkeys://[::1]:7000?prefix=agent-sessions', 'valkeys://[::1]:7000/0'],
  ['redis://:hunter2,more@host', 'redis://host/0'],
])('%j is shown without its password', (url, location) => {
  expect(placeOf({ url, dataDir: '' })).toEqual({ engine: 'redis', url, location });
});

test.each([
  ['mysql://user:hunter2@host/db', 'Unknown kind of store: "mysql".'],
  [
    'postgres://ada:hunter2@host/db?max=many',
    'The parameter max of the Postgres store is not a whole number from 2 to 1000.',
  ],
  ['hunter2.db', 'The store has no scheme.'],
  ['', 'The store has no scheme.'],
  ['sqlite:', 'The store "sqlite:" needs a path.'],
  ['sqlite://hunter2.db', 'The path of the store cannot be read.'],
  ['memory:hunter2', 'The store "memory:" takes no path.'],
  ['redis://:hunter2@host:port', 'The address of the Redis store cannot be read.'],
  ['redis://:hunter2@host/zero', 'The address of the Redis store cannot be read.'],
  ['rediss://:hunter2@host?password=hunter2', 'The address of the Redis store takes one parameter, prefix.'],
  ['valkey://:hunter2@host?prefix={a}', 'The prefix of the Redis store is not usable.'],
  [
    'redis://:hunter2@host:1,host:2',
    'The address of the Redis store names one host; Sentinel and lists of hosts are not read.',
  ],
  [
    'redis+sentinel://:hunter2@host:26379/primary',
    'The address of the Redis store names one host; Sentinel and lists of hosts are not read.',
  ],
  [
    'postgres://ada:hunter2@host/db?target_session_attrs=standby',
    'The parameter target_session_attrs of the Postgres store is neither any, read-write nor primary.',
  ],
])('%j is refused with the forms that there are, and without its secrets', async (url, message) => {
  const opening = openStore({ url, durability: 'full', dataDir: scratch() });
  await expect(opening).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', message });
  const hint =
    url.includes('@host') && !url.startsWith('mysql')
      ? /redis:|letters|postgres:|follows the primary|read-write/
      : /sqlite:PATH/;
  await expect(opening).rejects.toMatchObject({ hint: expect.stringMatching(hint) });
  await expect(opening).rejects.not.toMatchObject({ message: expect.stringContaining('hunter2') });
});

test.each([
  ['postgres://ada:hunter2@host/db', ['postgres://ada:hunter2@host/db'], 'postgres://host/db', false],
  [
    'postgres://ada:hun,ter2@one:1,[::1]:2,three/db?target_session_attrs=read-write&sslmode=require',
    ['one:1', '[::1]:2', 'three'].map((host) => `postgres://ada:hun,ter2@${host}/db?sslmode=require`),
    'postgres://one:1,[::1]:2,three/db',
    true,
  ],
  ['postgres://?target_session_attrs=any', ['postgres://'], 'postgres://', false],
])('%s leads to each of its hosts in their order', (url, connectionStrings, location, primaryOnly) => {
  expect(postgresAddress(url)).toMatchObject({ connectionStrings, location, primaryOnly });
});

test.each(['redis://one:1,two:2', 'redis://one,two/0', 'rediss+sentinel://one'])(
  '%s names more than one host, and is refused as that',
  (url) => {
    expect(() => placeOf({ url, dataDir: '' })).toThrow(
      expect.objectContaining({ hint: expect.stringContaining('follows the primary') }),
    );
  },
);

test('an address of Postgres without // is refused, and not shown', () => {
  expect(() => placeOf({ url: 'postgres:ada:hunter2@host', dataDir: '' })).toThrow(
    expect.objectContaining({ code: 'INVALID_ARGUMENT', message: expect.not.stringContaining('hunter2') }),
  );
});
