import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Agents } from '../../../src/agent/types.ts';
import { openAdk } from '../../../src/backend/adk/index.ts';
import { openLocal } from '../../../src/backend/local/index.ts';
import { openVectara } from '../../../src/backend/vectara/index.ts';
import { defaultLimits } from '../../../src/server/http/limits.ts';
import { openStore } from '../../../src/store/open.ts';
import { startFake } from '../../fake/adk/server.ts';
import { typescript } from '../../fake/adk/typescript.ts';
import { said } from '../../fake/vectara/interact.ts';
import { ownerKey, startVectara } from '../../fake/vectara/server.ts';
import { type Product, startProduct } from '../../server/http/harness.ts';
import { addressOf, call, expectAccessible, newSession, page, useBrowser, visit } from './harness.ts';

const everyView = async (tab: Page) => {
  for (const view of await tab.getByRole('tab').allTextContents()) {
    await tab.getByRole('tab', { name: view }).click();
    await tab.getByRole('tabpanel').locator('> *').first().waitFor();
    await expectAccessible(tab, view);
  }
};

describe('other backends than the local one', () => {
  const browser = useBrowser();

  it('Vectara: sessions without revisions, forks by copy, events of another process', async () => {
    const fake = await startVectara({});
    const backend = await openVectara({ baseUrl: fake.url, credentials: { apiKey: ownerKey } });
    const product = await startProduct({ backend, page, user: 'ann', app: 'support' });
    const sessionId = await newSession(product.port, { displayName: 'At Vectara', app: 'support' });
    said(fake.session(sessionId), 'Said before.');
    const { page: tab, faults } = await visit(
      browser(),
      addressOf(product.port, { session: sessionId, app: 'support' }),
    );
    await tab.getByRole('feed').getByText('Said before.').waitFor();
    said(fake.session(sessionId), 'Said elsewhere.');
    await tab.getByRole('feed').getByText('Said elsewhere.').waitFor();
    await everyView(tab);
    expect(faults).toEqual([]);
    await product.end();
    await fake.close();
  });

  it('ADK: a message is answered by the agent there', async () => {
    const fake = await startFake(typescript);
    const backend = await openAdk({ baseUrl: fake.url });
    const product = await startProduct({ backend, page, user: 'ann', app: 'echo_agent' });
    const sessionId = await newSession(product.port, { app: 'echo_agent' });
    const { page: tab, faults } = await visit(
      browser(),
      addressOf(product.port, { session: sessionId, app: 'echo_agent' }),
    );
    await tab.getByText('No events yet.').waitFor();
    await tab.getByLabel('Message to the agent').fill('Anybody there?');
    await tab.getByLabel('Message to the agent').press('Enter');
    await expect.poll(() => tab.getByRole('feed').getByRole('article').count()).toBeGreaterThanOrEqual(2);
    await everyView(tab);
    expect(faults).toEqual([]);
    await product.end();
    await fake.close();
  });
});

describe('a run', () => {
  const browser = useBrowser();
  let product: Product;
  let goOn: () => void = () => {};
  beforeAll(async () => {
    const agents: Agents = {
      bound: [{ app: 'default', kind: 'test', name: 'slow' }],
      team: () => ['slow'],
      open: async () => ({
        name: 'slow',
        async *run() {
          const piece = (text: string) => ({ content: { role: 'model' as const, parts: [{ text }] } });
          yield { ...piece('The first half, '), partial: true };
          await new Promise<void>((resolve) => {
            goOn = resolve;
          });
          yield { ...piece('The first half, the second.'), turnComplete: true };
        },
      }),
    };
    const store = await openStore({ url: 'memory:', durability: 'full', dataDir: '.' });
    product = await startProduct({ backend: openLocal({ store, agents }), page, user: 'ann' });
  });
  afterAll(() => product.end());

  it('streams: what the agent says is seen while it says it', async () => {
    const sessionId = await newSession(product.port);
    const { page: tab } = await visit(browser(), addressOf(product.port, { session: sessionId }));
    await tab.getByLabel('Message to the agent').fill('Tell me.');
    await tab.getByLabel('Message to the agent').press('Enter');
    await tab.locator('.speech').getByText('The first half,').waitFor();
    expect(JSON.stringify(await call(product.port, 'list_events', { sessionId }))).not.toContain('second');
    goOn();
    await tab.getByRole('feed').getByText('The first half, the second.').waitFor();
    await expect.poll(() => tab.locator('.speech').count()).toBe(0);
  });
});

describe('a server that allows few requests', () => {
  const browser = useBrowser();

  it('is asked again when it has room, and all is read', async () => {
    const settings = { limits: { ...defaultLimits, requestsPerSecond: 20, burst: 10 } };
    const slow = await startProduct({ page, user: 'ann', settings });
    const owner = { app: 'default', userId: 'ann' };
    const { id: sessionId } = (await slow.backend.sessions?.create?.(owner, {})) ?? { id: '' };
    for (let i = 0; i < 400; i += 1)
      await slow.backend.events?.append?.(
        { ...owner, sessionId },
        { author: 'a', content: { parts: [{ text: `Line ${i}. ${'x'.repeat(500)}` }] } },
      );
    const { page: tab } = await visit(browser(), addressOf(slow.port, { session: sessionId }));
    const first = tab.getByRole('feed').getByRole('article').first();
    await expect.poll(() => first.getAttribute('aria-setsize'), { timeout: 20_000 }).toBe('400');
    await slow.end();
  });
});
