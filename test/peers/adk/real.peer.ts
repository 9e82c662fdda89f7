import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openAdk } from '../../../src/backend/adk/index.ts';
import type { Backend, SessionRef } from '../../../src/backend/types.ts';
import { backendContract } from '../../contract/backend.ts';
import { adkBehaviour, fails } from '../../fake/adk/behaviour.ts';
import { adkSubject, lacksOf } from '../../fake/adk/contract.ts';
import { traits } from '../../fake/adk/traits.ts';
import { startReal } from './start.ts';

const open = async () => {
  const server = await startReal();
  return adkSubject(await openAdk({ baseUrl: server.url }), () => server.stop());
};

backendContract('adk on the real api_server', { lacks: lacksOf('typescript'), open });

adkBehaviour('the real api_server', traits.typescript, open);

describe('the real api_server: size and death', () => {
  let server: Awaited<ReturnType<typeof startReal>>;
  let backend: Backend;
  const ref: SessionRef = { app: 'echo_agent', userId: 'big', sessionId: 'big' };
  beforeAll(async () => {
    server = await startReal();
    backend = await openAdk({ baseUrl: server.url });
  });
  afterAll(async () => {
    await backend.close();
    await server.stop();
  });

  const run = async (at: SessionRef, text: string) => {
    const input = { message: { role: 'user' as const, parts: [{ text }] }, invocationId: 'unused' };
    let count = 0;
    for await (const _event of backend.query?.stream?.(at, input, new AbortController().signal) ?? [])
      count += 1;
    return count;
  };

  it('pages through 20,000 events in bounded time and memory', async () => {
    await backend.sessions?.create?.(ref, { sessionId: ref.sessionId });
    expect(await run(ref, 'burst 20000')).toBe(20_000);
    const before = process.memoryUsage().rss;
    const started = performance.now();
    const last = await backend.events?.list?.(ref, { pageSize: 20, order: 'desc' });
    const lastMs = performance.now() - started;
    expect(last?.items[0]?.content?.parts).toEqual([{ text: 'burst 19999' }]);
    const ids = new Set<string>();
    const paging = performance.now();
    let cursor: string | undefined;
    do {
      const page = await backend.events?.list?.(ref, { pageSize: 100, cursor });
      for (const event of page?.items ?? []) ids.add(event.id);
      cursor = page?.cursor;
    } while (cursor !== undefined);
    const allMs = performance.now() - paging;
    const grown = (process.memoryUsage().rss - before) / 2 ** 20;
    process.stdout.write(
      `20,000 events: last 20 in ${lastMs.toFixed(0)} ms, all in pages of 100 in ${allMs.toFixed(0)} ms, rss +${grown.toFixed(0)} MiB\n`,
    );
    expect(ids.size).toBe(20_001);
    expect(grown).toBeLessThan(600);
    const parallel = await Promise.all(
      Array.from({ length: 16 }, () => backend.events?.list?.(ref, { pageSize: 1 })),
    );
    expect(parallel.every((page) => page?.items.length === 1)).toBe(true);
  });

  it('refuses a session that is larger than the limit', async () => {
    const small = await openAdk({ baseUrl: server.url, maxAnswerBytes: 100_000 });
    const error = await fails(small.events?.list?.(ref, { pageSize: 1 }), 'RESOURCE_EXHAUSTED');
    expect(error.message).toContain('100000 bytes');
    await small.close();
  });

  it('says so when the server dies in a run, and works again with the next one', async () => {
    const other = { ...ref, sessionId: 'short' };
    await backend.sessions?.create?.(other, { sessionId: other.sessionId });
    const dying = run(other, 'slow 50 100');
    const failed = fails(dying, 'UNAVAILABLE');
    await sleep(400);
    await server.stop();
    await failed;
    const started = Date.now();
    await fails(backend.sessions?.get?.(other), 'UNAVAILABLE');
    expect(Date.now() - started).toBeLessThan(5000);
  });
});
