import { readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { openKeyv } from '../../src/adapters/keyv.ts';
import { connect } from '../e2e/clients.ts';
import { scratch } from '../scratch.ts';

it('a Keyv keeps its values in the file of a running server, out of its callers’ reach', async () => {
  const url = `sqlite:${path.join(scratch(), 'data.db')}`;
  const client = await connect('v2-modern', { args: ['--store', url] });
  await client.ok('create_session', { sessionId: 's' });
  const a = await openKeyv(url, 'a');
  const b = await openKeyv(url, 'a:b');
  try {
    await a.keyv.set('b:k', { n: 1 });
    await b.keyv.set('k', 'two', 50);
    expect(await a.keyv.get('b:k')).toEqual({ n: 1 });
    expect(await b.keyv.get('k')).toBe('two');
    await sleep(60);
    expect(await b.keyv.get('k')).toBeUndefined();
    await a.keyv.clear();
    expect(await a.keyv.has('b:k')).toBe(false);
    expect(await client.ok('list_sessions')).toMatchObject({ sessions: [{ id: 's' }] });
  } finally {
    await Promise.all([a.close(), b.close(), client.close()]);
  }
});

it('an entry whose ttl is over leaves the file without a server', async () => {
  const file = path.join(scratch(), 'data.db');
  const first = await openKeyv(`sqlite:${file}`, 'n');
  await first.keyv.set('short', 'SECRET', 30);
  await first.keyv.set('long', 'kept', 60_000);
  await first.close();
  await sleep(40);
  const second = await openKeyv(`sqlite:${file}`, 'n');
  await sleep(200);
  expect(await second.keyv.get('long')).toBe('kept');
  await second.close();
  const bytes = readFileSync(file, 'latin1');
  expect([bytes.includes('SECRET'), bytes.includes('kept')]).toEqual([false, true]);
});
