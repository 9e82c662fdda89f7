import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { scratch } from '../scratch.ts';
import { eventually, startServerProcess } from '../server/http/harness.ts';
import { as, open, send, tokensFor, toolCall } from '../server/http/requests.ts';
import { freshPlace } from './postgres.ts';
import { forget, redisUrl } from './redis.ts';

const places: Record<string, () => Promise<string>> = {
  async postgres() {
    const { url, drop } = await freshPlace();
    onTestFinished(drop);
    return url;
  },
  async redis() {
    const url = redisUrl();
    onTestFinished(() => forget(url));
    return url;
  },
};

/** Ports of servers on one store. Every further one has a sixteenth of a limit for itself. */
async function servers(url: string, count: number, limits: object): Promise<number[]> {
  const folder = scratch();
  const [tokens, config] = ['tokens.json', 'config.json'].map((name) => path.join(folder, name));
  writeFileSync(tokens ?? '', tokensFor({ ada: ['sessions:write'], bo: ['sessions:write'] }));
  writeFileSync(config ?? '', JSON.stringify({ http: { limits } }));
  const args = ['--store', url, '--auth-tokens', tokens ?? '', '--config', config ?? ''];
  const all = Array.from({ length: count }, () => startServerProcess(args));
  onTestFinished(async () => {
    for (const { child } of all) child.kill('SIGTERM');
    await Promise.all(all.map(({ exit }) => exit));
  });
  return Promise.all(all.map(({ port }) => port));
}

describe.each(Object.entries(places))('limits of servers on one %s', (_, place) => {
  test('requests a second are those of all servers together', async () => {
    const ports = await servers(await place(), 3, { requestsPerSecond: 0.01, burst: 96 });
    const statusOf = async (i: number, user = 'ada') =>
      (await send(ports[i % 3] ?? 0, as(user, toolCall('list_sessions')))).status;
    const statuses: number[] = [];
    for (let round = 0; round < 10; round++)
      statuses.push(...(await Promise.all(Array.from({ length: 24 }, (_, i) => statusOf(i)))));
    expect(new Set(statuses)).toEqual(new Set([200, 429]));
    const through = statuses.filter((status) => status === 200).length;
    expect(through).toBeLessThanOrEqual(96 + 2 * 6);
    expect(through).toBeGreaterThanOrEqual(96 - 2 * 6);
    expect(await statusOf(0, 'bo')).toBe(200);
  });

  test('calls under way are those of all servers together', async () => {
    const [one = 0, two = 0] = await servers(await place(), 2, { calls: 6 });
    await send(one, as('ada', toolCall('create_session', { sessionId: 's' })));
    const waiting = as('ada', toolCall('wait_for_events', { sessionId: 's', timeoutSeconds: 60 }));
    const held = Array.from({ length: 12 }, () => open(one, waiting));
    let refused = 0;
    for (const { status } of held)
      void status.then(() => {
        refused += 1;
      });
    await eventually(() => refused >= 6);
    expect(refused).toBe(6);
    const asked = async (user = 'ada') =>
      (await send(two, as(user, toolCall('list_sessions')))).body.includes('RESOURCE_EXHAUSTED');
    expect(await asked()).toBe(true);
    expect(await asked('bo')).toBe(false);
    for (const { stop } of held) stop();
    // What one server gives back, the other may take some seconds later.
    await eventually(async () => !(await asked()), 20_000);
  });
});
