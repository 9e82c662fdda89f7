import { expect, onTestFinished, test } from 'vitest';
import { openKeyv } from '../../src/adapters/keyv.ts';
import { connect } from '../e2e/clients.ts';
import { run } from '../e2e/run.ts';
import { scratch } from '../scratch.ts';
import { forget, keysOf, redisUrl } from './redis.ts';
import { startRedis } from './redis-server.ts';

function place(): string {
  const url = redisUrl();
  onTestFinished(() => forget(url));
  return url;
}

async function server(store: string) {
  const client = await connect('v2-modern', { args: ['--store', store, '--user', 'ada'] });
  onTestFinished(() => client.close());
  return client;
}

test('what two servers on one Redis write, both read, and who waits on one hears the other', async () => {
  const url = place();
  const [one, two] = [await server(url), await server(url)];
  await one.ok('create_session', { sessionId: 'trip', state: { city: 'Rome' } });
  const waiting = two.ok('wait_for_events', { sessionId: 'trip', timeoutSeconds: 20 });
  await new Promise((resolve) => setTimeout(resolve, 300));
  const sent = performance.now();
  await one.ok('append_event', { sessionId: 'trip', text: 'Where shall we go?' });
  const { events } = await waiting;
  // Long before the time is up: a message told it.
  expect(performance.now() - sent).toBeLessThan(10_000);
  expect(events).toHaveLength(1);
  await two.ok('create_memory', { fact: 'Ada likes green tea' });
  expect(await one.ok('search_memory', { query: 'tea' })).toMatchObject({
    memories: [{ fact: 'Ada likes green tea' }],
  });
});

test('what Redis may lose is said by describe_server and by doctor, and no password by either', async () => {
  const redis = await startRedis({
    requirepass: 'hunter2-secret',
    appendonly: 'yes',
    appendfsync: 'everysec',
  });
  onTestFinished(() => redis.stop());
  const url = redis.url.replace('//', '//:hunter2-secret@');
  const client = await server(url);
  const described = JSON.stringify(await client.ok('describe_server', {}));
  expect(described).toContain('appendfsync everysec');
  expect(described).not.toContain('hunter2');
  const checked = await run(['doctor', '--store', url, '--user', 'ada']);
  expect(checked.code).toBe(0);
  expect(checked.stdout).toMatch(/ok {4}store: redis, at redis:\/\/127\.0\.0\.1:\d+\/0: it answers/);
  expect(checked.stdout).toMatch(/note {2}Redis writes to its disk every second/);
  expect(checked.stdout + checked.stderr).not.toContain('hunter2');
  await redis.stop();
  const gone = await run(['doctor', '--store', url, '--user', 'ada']);
  expect(gone.code).toBe(1);
  expect(gone.stdout).toContain('FAIL  The session store cannot be reached at redis://127.0.0.1');
  expect(gone.stdout + gone.stderr).not.toContain('hunter2');
  const backup = await run(['backup', 'file.db', '--store', url]);
  expect(backup.stderr).toContain('is not a file');
});

test('a store moves from Redis to a file and back', async () => {
  const url = place();
  const client = await server(url);
  await client.ok('create_session', { sessionId: 'trip' });
  await client.ok('append_event', { sessionId: 'trip', text: 'Where shall we go?' });
  await client.ok('create_memory', { fact: 'Ada likes green tea' });
  await client.close();
  const file = `sqlite:${scratch()}/moved.db`;
  const back = place();
  const [out, home] = [await run(['copy-store', url, file]), await run(['copy-store', file, back])];
  const digest = (text: string) => /SHA-256 ([0-9a-f]{64})/.exec(text)?.[1];
  expect([out.code, home.code]).toEqual([0, 0]);
  expect(digest(out.stdout)).toBe(digest(home.stdout));
  const there = await server(back);
  expect(await there.ok('get_session', { sessionId: 'trip' })).toMatchObject({ session: { eventCount: 1 } });
  expect(await there.ok('search_memory', { query: 'tea' })).toMatchObject({ memories: [{}] });
});

test('a source that is not there is refused, and not made', async () => {
  const url = place();
  const file = `sqlite:${scratch()}/moved.db`;
  const ended = await run(['copy-store', url, file]);
  expect(ended).toMatchObject({ code: 1, stderr: expect.stringContaining('There is no store at redis://') });
  expect(await keysOf(url)).toEqual([]);
});

test('a program of one’s own keeps small values beside the sessions', async () => {
  const url = place();
  const client = await server(url);
  await client.ok('create_session', { sessionId: 'trip' });
  const { keyv, close } = await openKeyv(url, 'preferences');
  await keyv.set('theme', 'dark');
  expect(await keyv.get('theme')).toBe('dark');
  await keyv.clear();
  expect(await keyv.get('theme')).toBeUndefined();
  await close();
  expect(await client.ok('get_session', { sessionId: 'trip' })).toMatchObject({ session: { id: 'trip' } });
});

test('doctor writes nothing to Redis', async () => {
  const url = place();
  const doctor = () => run(['doctor', '--store', url, '--user', 'ada']);
  expect(await doctor()).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('it answers; the server'),
  });
  expect(await keysOf(url)).toEqual([]);
  const client = await server(url);
  await client.ok('create_session', { sessionId: 'trip' });
  await client.close();
  const before = (await keysOf(url)).sort();
  expect(await doctor()).toMatchObject({ code: 0, stdout: expect.stringMatching(/it answers\n/) });
  expect((await keysOf(url)).sort()).toEqual(before);
});
