/** This server as one of the stores that `npm run bench -- peers` compares. */
import path from 'node:path';
import { openLocal } from '../src/backend/local/index.ts';
import type { Backend, SessionRef } from '../src/backend/types.ts';
import { openStore } from '../src/store/open.ts';
import { type Peer, text } from './peer-stores.ts';
import { bundled, rate, rawStdio, scratch } from './tools.ts';

export async function openOverMcp(): Promise<Peer> {
  const file = path.join(scratch(), 'p.db');
  const client = rawStdio(await bundled('src/main.ts'), [
    '--store',
    `sqlite:${file}`,
    '--durability',
    'full',
  ]);
  await client.call('create_session', { sessionId: 's' });
  const append = () => client.call('append_event', { sessionId: 's', text });
  return {
    name: 'this server over MCP, durable',
    fillStep: 1000,
    append,
    fill: async (from, to) => void (await rate(to - from, 32, append)),
    async read() {
      let count = 0;
      for (let pageToken: unknown; ; ) {
        const page = await client.call('list_events', {
          sessionId: 's',
          pageSize: 100,
          view: 'full',
          ...(pageToken === undefined ? {} : { pageToken }),
        });
        count += (page.events as unknown[]).length;
        pageToken = page.nextPageToken;
        if (pageToken === undefined) return count;
      }
    },
    close: async () => client.close(),
  };
}

export async function openInProcess(where: 'full' | 'memory'): Promise<Peer> {
  const url = where === 'memory' ? 'memory:' : `sqlite:${path.join(scratch(), 'p.db')}`;
  const backend = openLocal({
    store: await openStore({ url, durability: 'full', dataDir: '' }),
  }) as Required<Backend>;
  const ref: SessionRef = { app: 'bench', userId: 'u', sessionId: 's' };
  await backend.sessions.create?.(ref, { sessionId: 's' });
  const append = async () =>
    void (await backend.events.append?.(ref, {
      author: 'user',
      content: { role: 'user', parts: [{ text }] },
    }));
  return {
    name: `this server's backend in process, ${where === 'memory' ? 'in memory' : 'durable'}`,
    fillStep: 1000,
    append,
    fill: async (from, to) => void (await rate(to - from, 32, append)),
    async read() {
      let count = 0;
      for (let cursor: string | undefined; ; ) {
        const page = await backend.events.list?.(ref, { pageSize: 100, cursor });
        count += page?.items.length ?? 0;
        cursor = page?.cursor;
        if (cursor === undefined) return count;
      }
    },
    close: () => backend.close(),
  };
}
