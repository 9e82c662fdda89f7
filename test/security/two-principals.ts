import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openAgents } from '../../src/agent/open.ts';
import { openLocal } from '../../src/backend/local/index.ts';
import type { Store } from '../../src/store/types.ts';
import { allTools } from '../../src/tools/index.ts';
import { type Product, pause, startProduct } from '../server/http/harness.ts';
import {
  as,
  initialize,
  type Json,
  legacyRequest,
  modernRequest,
  openSession,
  send,
  tokensFor,
} from '../server/http/requests.ts';
import {
  argsFor,
  type Caller,
  callerOf,
  furnish,
  type Ids,
  idArgs,
  inventory,
  normal,
  strangerIds,
  structured,
} from './principals.ts';

const canary = 'canary-8d1f';

const tools = allTools.filter((tool) => tool.reach === 'user' && idArgs(tool).length > 0);

/**
 * Alice has one object of each kind; Mallory has a token of her own and knows all of Alice's ids. The cases come from
 * the catalogue: a new tool is tested at once, and one with an unknown argument fails.
 * Every case gets a store of its own.
 */
export function twoPrincipals(openOne: () => Promise<Store>): void {
  async function backendWithAgent() {
    const agents = openAgents({ '*': { kind: 'echo', name: 'echo', delayMs: 0 } });
    return openLocal({ store: await openOne(), agents });
  }

  describe.each(['modern', 'legacy'] as const)('two users of one server, %s', (era) => {
    /** New data for every case, because a session that Mallory creates with Alice's id is her own. */
    async function world() {
      const product = await startProduct({
        backend: await backendWithAgent(),
        settings: { tokens: tokensFor({ alice: ['sessions:write'], mallory: ['sessions:write'] }) },
      });
      const enter = async (user: string) =>
        callerOf(product, user, era === 'legacy' ? await openSession(product.port, user) : undefined);
      const [alice, mallory] = [await enter('alice'), await enter('mallory')];
      const hers = await furnish(alice, canary);
      return { product, alice, mallory, hers, own: await furnish(mallory, 'mallory') };
    }

    describe.each(tools.map((tool) => [tool.name, tool] as const))('%s', (_name, tool) => {
      it.each([...idArgs(tool), 'all ids'])(
        'with another user’s %s is as with a random one',
        async (under) => {
          const { product, alice, mallory, hers, own } = await world();
          const before = await inventory(alice, hers);
          const ids = under === 'all ids' ? idArgs(tool) : [under];
          const pick = (from: Ids): Ids => ({
            ...own,
            ...Object.fromEntries(ids.map((id) => [id, from[id] ?? ''])),
          });
          const [stranger, foreign] = [pick(strangerIds(hers)), pick(hers)];
          const random = await mallory(tool.name, argsFor(tool, stranger, ids));
          const probed = await mallory(tool.name, argsFor(tool, foreign, ids));
          expect(normal(probed.body, foreign)).toBe(normal(random.body, stranger));
          expect(probed.status).toBe(random.status);
          const opensOne = tool.name === 'create_session';
          // Ids that narrow what is deleted: where none fits, nothing is.
          const narrows = tool.name === 'delete_memory' || (tool.name === 'delete_session' && ids.length > 1);
          if (ids.includes('sessionId') && !opensOne && !narrows) expect(probed.body).toContain('NOT_FOUND');
          expect(probed.body).not.toContain(canary);
          expect(await inventory(alice, hers)).toBe(before);
          await product.end();
        },
      );
    });
  });

  describe('beside the tools', () => {
    let product: Product;
    let alice: Caller;
    let mallory: Caller;
    let hers: Ids;
    beforeAll(async () => {
      product = await startProduct({
        backend: await backendWithAgent(),
        settings: {
          tokens: tokensFor({
            alice: ['sessions:write'],
            mallory: ['sessions:write'],
            boss: ['sessions:admin'],
          }),
        },
      });
      alice = callerOf(product, 'alice');
      mallory = callerOf(product, 'mallory');
      hers = await furnish(alice, canary);
    });
    afterAll(() => product.end());
    const ask = (user: string, sent: Parameters<typeof as>[1]) => send(product.port, as(user, sent));
    const stranger = () => strangerIds(hers);

    it('lists, searches and completes nothing of another user', async () => {
      for (const [tool, args] of [
        ['list_sessions', {}],
        ['list_sessions', { filter: `displayName="${canary}"` }],
        ['search_events', { query: canary }],
        ['search_events', { query: `${canary} first`, app: 'default', around: 5 }],
        ['list_memories', {}],
        ['list_memories', { scope: { app_name: 'default', user_id: 'alice' } }],
        ['search_memory', { query: 'likes tea' }],
        ['search_memory', { query: 'likes tea', scope: { app_name: 'default', user_id: 'alice' } }],
        ['list_apps', {}],
      ] as const) {
        const { body } = await mallory(tool, args);
        expect([tool, body.includes(canary) || body.includes(hers.sessionId ?? '')]).toEqual([tool, false]);
      }
      const listed = await ask('mallory', modernRequest('resources/list'));
      expect(listed.body).not.toContain(hers.sessionId);
      const ref = { type: 'ref/resource', uri: 'session://{app}/{sessionId}' };
      const argument = { name: 'sessionId', value: hers.sessionId?.slice(0, 4) };
      const complete = (user: string) => ask(user, modernRequest('completion/complete', { ref, argument }));
      expect((await complete('alice')).body).toContain(hers.sessionId);
      expect((await complete('mallory')).body).not.toContain(hers.sessionId);
    });

    it('reads no resource of another user: the answer is that for a random one', async () => {
      const read = async (user: string, ids: Ids, rest: string) => {
        const uri = `session://default/${ids.sessionId}${rest}`;
        return normal((await ask(user, modernRequest('resources/read', { uri }))).body, ids);
      };
      for (const rest of ['', '/events', `/artifacts/${hers.name}`]) {
        expect(await read('alice', hers, rest)).toContain('contents');
        const random = { ...stranger(), name: hers.name ?? '' };
        expect(await read('mallory', hers, rest)).toBe(await read('mallory', random, rest));
      }
    });

    it('tells nobody of changes of another user', async () => {
      const uri = `session://default/${hers.sessionId}`;
      const listen = modernRequest('subscriptions/listen', {
        notifications: { resourceSubscriptions: [uri] },
      });
      const hers1 = ask('alice', { ...listen, until: /resources\/updated/ });
      let heard = '';
      const his = ask('mallory', { ...listen, until: /resources\/updated/ }).then(({ body }) => {
        heard = body;
      });
      await pause(200);
      await structured(alice, 'append_event', { sessionId: hers.sessionId, text: 'changed' });
      expect((await hers1).body).toContain('notifications/resources/updated');
      await pause(300);
      expect(heard).toBe('');
      his.catch(() => {});
    });

    it('opens no page of another user, and no page that was changed', async () => {
      for (let i = 0; i < 3; i += 1) await structured(alice, 'create_session', {});
      const { nextPageToken } = await structured(alice, 'list_sessions', { pageSize: 1 });
      const token = String(nextPageToken);
      for (const [user, pageToken] of [
        [mallory, token],
        [alice, `${token.slice(0, -1)}${token.endsWith('x') ? 'y' : 'x'}`],
        [alice, `x${token}`],
        [alice, 'nonsense'],
      ] as const)
        expect((await user('list_sessions', { pageSize: 1, pageToken })).body).toContain('INVALID_ARGUMENT');
      expect((await alice('list_sessions', { pageSize: 1, pageToken: token })).body).toContain(
        hers.sessionId?.[0],
      );
    });

    it('lets only an admin name other users, and shows the argument to nobody else', async () => {
      const takers = async (user: string) => {
        const { body } = await ask(user, modernRequest('tools/list'));
        const { result } = JSON.parse(body) as { result: { tools: { inputSchema: { properties: Json } }[] } };
        return result.tools.filter((tool) => 'userId' in tool.inputSchema.properties).length;
      };
      expect(await takers('alice')).toBe(0);
      expect(await takers('boss')).toBeGreaterThan(20);
      const named = { sessionId: hers.sessionId, userId: 'alice' };
      const refused = await mallory('get_session', named);
      expect(refused.body).toContain('INVALID_ARGUMENT');
      expect(refused.body).not.toContain(canary);
      const boss = callerOf(product, 'boss');
      expect((await boss('get_session', named)).body).toContain(canary);
      expect((await boss('get_session', { sessionId: hers.sessionId })).body).toContain('NOT_FOUND');
      expect((await mallory('list_sessions', { allUsers: true })).body).toContain('PERMISSION_DENIED');
    });

    it('takes a protocol session for no credential', async () => {
      const opened = await ask('alice', initialize);
      const id = String(opened.headers['mcp-session-id']);
      const probe = async (user: string, session: string, method = 'POST') => {
        const sent = legacyRequest(session, 'tools/list');
        const { status, body } = await ask(
          user,
          method === 'POST' ? sent : { ...sent, method, body: undefined },
        );
        return `${status} ${body}`;
      };
      for (const method of ['POST', 'GET', 'DELETE'])
        expect(await probe('mallory', id, method)).toBe(await probe('mallory', 'f'.repeat(36), method));
      expect(await probe('boss', id)).toContain('404');
      expect(await probe('alice', id)).toContain('200');
    });

    it('gives an admin’s session to no other token of the same user', async () => {
      const admin = tokensFor({ boss: ['sessions:admin'] });
      const [entry] = JSON.parse(tokensFor({ lesser: ['sessions:write'] })) as object[];
      const both = JSON.stringify([...(JSON.parse(admin) as object[]), { ...entry, user: 'boss' }]);
      const shared = await startProduct({ settings: { tokens: both } });
      const opened = await send(shared.port, as('boss', initialize));
      const id = String(opened.headers['mcp-session-id']);
      const sent = legacyRequest(id, 'tools/list');
      expect((await send(shared.port, as('boss', sent))).status).toBe(200);
      expect((await send(shared.port, as('lesser', sent))).status).toBe(404);
      await shared.end();
    });
  });
}
