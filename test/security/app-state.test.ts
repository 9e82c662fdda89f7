import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SessionError } from '../../src/errors.ts';
import type { JsonObject } from '../../src/model/json.ts';
import { checkAppState } from '../../src/tools/support/app-state.ts';
import { type Product, startProduct } from '../server/http/harness.ts';
import { tokensFor } from '../server/http/requests.ts';
import { callerOf, structured } from './principals.ts';

const key = 'app:motd';
const refused = /PERMISSION_DENIED.*app:motd.*admin.*--app-state everyone/;

describe('state that all users of an app share', () => {
  let product: Product;
  beforeAll(async () => {
    product = await startProduct({
      settings: {
        tokens: tokensFor({
          ann: ['sessions:read', 'sessions:write'],
          root: ['sessions:read', 'sessions:write', 'sessions:admin'],
        }),
      },
    });
  });
  afterAll(() => product.end());

  it('is not set by a user over HTTP, in whichever way', async () => {
    const ann = callerOf(product, 'ann');
    await structured(ann, 'create_session', { sessionId: 's', state: { 'user:x': 1, 'application:x': 1 } });
    const ways: [string, JsonObject][] = [
      ['create_session', { sessionId: 't', state: { ok: 1, [key]: 'mine' } }],
      ['update_session', { sessionId: 's', state: { [key]: 'mine' } }],
      ['append_event', { sessionId: 's', text: 'hi', stateDelta: { [key]: 'mine' } }],
      ['query', { sessionId: 's', message: 'hi', stateDelta: { [key]: 'mine' } }],
      ['stream_query', { sessionId: 's', message: 'hi', stateDelta: { [key]: 'mine' } }],
    ];
    for (const [tool, args] of ways) expect((await ann(tool, args)).body, tool).toMatch(refused);
    expect(await structured(ann, 'list_sessions', {})).toMatchObject({ sessions: [{ id: 's' }] });
    expect(await structured(ann, 'list_events', { sessionId: 's' })).toMatchObject({ events: [] });
    expect(JSON.stringify(await structured(ann, 'get_session', { sessionId: 's' }))).not.toContain('motd');
  });

  it('is set by an admin, and read by all', async () => {
    await structured(callerOf(product, 'root'), 'create_session', { state: { [key]: 'welcome' } });
    expect(await structured(callerOf(product, 'ann'), 'create_session', {})).toMatchObject({
      session: { state: { [key]: 'welcome' } },
    });
  });

  it('is not set among the further arguments of a streaming method either', () => {
    const principal = { userId: 'ann', scopes: [], admin: false };
    const event = { author: 'user', actions: { state_delta: { [key]: 1 } } };
    for (const input of [
      { state_delta: { [key]: 1 } },
      { events: [event] },
      { request_json: JSON.stringify({ events: [event] }) },
    ]) {
      expect(() => checkAppState({ input }, principal)).toThrow(SessionError);
      expect(() => checkAppState({ input }, principal, 'everyone')).not.toThrow();
      expect(() => checkAppState({ input }, { ...principal, admin: true })).not.toThrow();
    }
    // A session as the agent gave it, with the state that all see, goes into memory.
    const input = { session: { id: 's', state: { [key]: 1 } }, request_json: 'no JSON' };
    expect(() => checkAppState({ input }, principal)).not.toThrow();
  });
});

describe('with --app-state everyone', () => {
  it('it is set by all', async () => {
    const product = await startProduct({ appStateWriters: 'everyone' });
    const anyone = callerOf(product, 'local');
    expect(await structured(anyone, 'create_session', { state: { [key]: 1 } })).toMatchObject({
      session: { state: { [key]: 1 } },
    });
    await product.end();
  });
});
