import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { createOneTimeKey } from '../../../src/server/auth/one-time-key.ts';
import { principalOf } from '../../../src/server/auth/scopes.ts';
import { scratch } from '../../scratch.ts';
import { startProduct } from '../../server/http/harness.ts';
import { send, tokenOf, tokensFor } from '../../server/http/requests.ts';
import {
  addressOf,
  call,
  expectAccessible,
  newSession,
  page as pageFile,
  useBrowser,
  useProduct,
  visit,
} from './harness.ts';

describe('a server without authentication', () => {
  const browser = useBrowser();
  const product = useProduct();

  it('shows the sessions at once, under a policy that the page keeps to', async () => {
    const { port } = product();
    await newSession(port, { displayName: 'The first' });
    const answer = await send(port, { method: 'GET', path: '/ui' });
    expect(answer.headers['content-security-policy']).toMatch(
      /^default-src 'none'; script-src 'sha256-[^']+';/,
    );
    expect(answer.headers['set-cookie']).toBeUndefined();
    expect(Buffer.byteLength(answer.body)).toBeLessThanOrEqual(200_000);
    const { page, faults } = await visit(browser(), addressOf(port));
    await page.getByRole('button', { name: 'The first' }).waitFor();
    expect(faults).toEqual([]);
    await page
      .evaluate("const s = document.createElement('script'); s.textContent = 'globalThis.ran = 1'")
      .catch(() => {});
    await page.evaluate(
      "const i = document.createElement('img'); i.src = 'https://elsewhere.example/x.png'; document.body.append(i)",
    );
    await expect.poll(() => faults.some((fault) => fault.includes('Content Security Policy'))).toBe(true);
  });
});

describe('a server with tokens', () => {
  const browser = useBrowser();
  const product = useProduct({
    settings: {
      tokens: tokensFor({ ann: ['sessions:write'], bob: ['sessions:write'], eve: ['sessions:read'] }),
    },
  });

  it('asks for the token once, and keeps it in the tab and nowhere else', async () => {
    const { port } = product();
    await call(port, 'create_session', { displayName: 'Ann’s own' }, 'ann');
    await call(port, 'create_session', { displayName: 'Bob’s own' }, 'bob');
    const { page } = await visit(browser(), addressOf(port));
    await expectAccessible(page, 'sign-in');
    await page.getByLabel('Token').fill('not-a-token-of-anybody');
    await page.getByRole('button', { name: 'Open' }).click();
    await page.getByText('The token is not valid.').waitFor();
    await page.getByLabel('Token').fill(tokenOf('ann'));
    await page.getByRole('button', { name: 'Open' }).click();
    await page.getByRole('button', { name: 'Ann’s own' }).waitFor();
    expect(await page.getByText('Bob’s own').count()).toBe(0);
    await page.reload();
    await page.getByRole('button', { name: 'Ann’s own' }).waitFor();
    expect(await page.context().cookies()).toEqual([]);
    expect(await page.evaluate(() => Object.keys(localStorage))).toEqual([]);
    const other = await page.context().newPage();
    await other.goto(addressOf(port));
    await other.getByLabel('Token').waitFor();
  });

  it('shows the session of its address once somebody has signed in', async () => {
    const { port } = product();
    const { session } = (await call(port, 'create_session', { displayName: 'Deep' }, 'ann')) as {
      session: { id: string };
    };
    const { page } = await visit(browser(), addressOf(port, { session: session.id }));
    await page.getByLabel('Token').fill(tokenOf('ann'));
    await page.getByRole('button', { name: 'Open' }).click();
    await page.getByRole('heading', { level: 1, name: 'Deep' }).waitFor();
  });

  it('says what a reader may not do', async () => {
    const { port } = product();
    const { page } = await visit(browser(), addressOf(port));
    await page.getByLabel('Token').fill(tokenOf('eve'));
    await page.getByRole('button', { name: 'Open' }).click();
    await page.getByText('No sessions yet.').waitFor();
    const made = await product().backend.sessions?.create?.(
      { app: 'default', userId: 'eve' },
      { displayName: 'To read' },
    );
    await page.getByRole('button', { name: 'To read' }).click();
    await page.getByLabel('Message to the agent').fill('May I?');
    await page.getByLabel('Message to the agent').press('Enter');
    await page.getByText('Your token does not allow this: it may only read.').waitFor();
    expect(await page.getByLabel('Message to the agent').inputValue()).toBe('May I?');
    expect(made?.eventCount ?? 0).toBe(0);
  });

  it('asks again when the token is taken back', async () => {
    const file = path.join(scratch(), 'tokens.json');
    writeFileSync(file, tokensFor({ ann: ['sessions:write'] }));
    const other = await startProduct({ page: pageFile, settings: { tokens: file } });
    const { page } = await visit(browser(), addressOf(other.port));
    await page.getByLabel('Token').fill(tokenOf('ann'));
    await page.getByRole('button', { name: 'Open' }).click();
    await page.getByText('No sessions yet.').waitFor();
    writeFileSync(file, '[]');
    await page.getByLabel('Token').waitFor();
    await other.end();
  });
});

describe('a server of one browser', () => {
  const key = createOneTimeKey(principalOf('ann', ['sessions:admin']));
  const browser = useBrowser();
  const product = useProduct({ oneTimeKey: key });

  it('lets in whoever brings the key first, and nobody after', async () => {
    const { port } = product();
    const { page } = await visit(browser(), addressOf(port, { key: key.key }));
    await page.getByText('No sessions yet.').waitFor();
    expect(page.url()).not.toContain('key');
    await page.reload();
    await page.getByText('No sessions yet.').waitFor();
    const late = await visit(browser(), addressOf(port, { key: key.key }));
    await late.page.getByText('run it again').waitFor();
  });
});
