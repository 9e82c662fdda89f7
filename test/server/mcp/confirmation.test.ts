import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Product, startProduct } from '../http/harness.ts';
import { bearer, modernRequest, send, tokensFor } from '../http/requests.ts';

type Json = Record<string, unknown>;

const scopes = ['sessions:write'] as const;
let product: Product;
let made = 0;

beforeAll(async () => {
  product = await startProduct({ settings: { tokens: tokensFor({ ann: scopes, bo: scopes }) } });
});
afterAll(() => product.end());

/** A call of a client that can ask its user. Resolves to the JSON-RPC answer. */
async function call(name: string, args: Json, more: Json = {}, user = 'ann'): Promise<Json> {
  const sent = modernRequest('tools/call', { name, arguments: args, ...more }, { elicitation: { form: {} } });
  const { body } = await send(product.port, { ...sent, headers: { ...sent.headers, ...bearer(user) } });
  return JSON.parse(body) as Json;
}

const yes = { confirm: { action: 'accept', content: { confirm: true } } };
const asksAgain = { result: { resultType: 'input_required', inputRequests: { confirm: expect.anything() } } };
const deleted = { result: { structuredContent: { deleted: true } } };

/** The state of the question that a deletion puts. */
async function asked(name: string, args: Json): Promise<string> {
  const answer = await call(name, args);
  expect(answer).toMatchObject(asksAgain);
  return (answer.result as { requestState: string }).requestState;
}

describe('the answer to a question before a deletion', () => {
  let sessionId = '';
  beforeEach(async () => {
    made += 1;
    sessionId = `s${made}`;
    await call('create_session', { sessionId });
    await call('append_event', { sessionId, eventId: 'e', text: 'Hello' });
  });
  const isThere = async () =>
    expect(await call('get_session', { sessionId })).toMatchObject({
      result: { structuredContent: { session: { id: sessionId } } },
    });

  it('lets the call run that it is about', async () => {
    const requestState = await asked('delete_session', { sessionId });
    expect(await call('delete_session', { sessionId }, { requestState, inputResponses: yes })).toMatchObject(
      deleted,
    );
  });

  it('counts no more once the session has changed', async () => {
    const requestState = await asked('delete_session', { sessionId });
    await call('append_event', { sessionId, text: 'And on' });
    expect(await call('delete_session', { sessionId }, { requestState, inputResponses: yes })).toMatchObject(
      asksAgain,
    );
    await isThere();
  });

  it('counts for no other arguments, and for no other tool', async () => {
    await call('create_session', { sessionId: `${sessionId}-other` });
    const requestState = await asked('delete_session', { sessionId: `${sessionId}-other` });
    const answered = { requestState, inputResponses: yes };
    expect(await call('delete_session', { sessionId }, answered)).toMatchObject(asksAgain);
    expect(await call('delete_event', { sessionId, eventId: 'e' }, answered)).toMatchObject(asksAgain);
    await isThere();
  });

  it('counts for no more than was asked', async () => {
    const requestState = await asked('delete_session', { sessionId });
    const more = { sessionId, forgetMemories: true };
    expect(await call('delete_session', more, { requestState, inputResponses: yes })).toMatchObject(
      asksAgain,
    );
    await isThere();
  });

  it('counts for nobody but whom was asked', async () => {
    await call('create_session', { sessionId }, {}, 'bo');
    await call('append_event', { sessionId, eventId: 'e', text: 'Hello' }, {}, 'bo');
    const requestState = await asked('delete_session', { sessionId });
    const others = await call('delete_session', { sessionId }, { requestState, inputResponses: yes }, 'bo');
    expect(others).not.toMatchObject(deleted);
    expect(await call('get_session', { sessionId }, {}, 'bo')).toMatchObject({
      result: { structuredContent: { session: { userId: 'bo' } } },
    });
    await isThere();
  });

  it('counts for nothing without the question', async () => {
    const forged = Buffer.from(JSON.stringify({ p: { tool: 'delete_session' } })).toString('base64url');
    for (const requestState of [undefined, '', `v1.${forged}.${forged}`])
      expect(
        await call('delete_session', { sessionId }, { requestState, inputResponses: yes }),
      ).not.toMatchObject(deleted);
    await isThere();
  });

  it.each<[string, Json]>([
    ['declines', { action: 'decline' }],
    ['cancels', { action: 'cancel' }],
    ['accepts without a yes', { action: 'accept', content: { confirm: false } }],
  ])('that %s does nothing, and says so', async (_what, confirm) => {
    const requestState = await asked('delete_session', { sessionId });
    const answer = await call('delete_session', { sessionId }, { requestState, inputResponses: { confirm } });
    expect(JSON.stringify(answer)).toContain('CANCELLED');
    await isThere();
  });
});
