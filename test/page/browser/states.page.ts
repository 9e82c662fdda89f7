import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { scratch } from '../../scratch.ts';
import { startServerProcess } from '../../server/http/harness.ts';
import { addressOf, call, expectAccessible, newSession, useBrowser, useProduct, visit } from './harness.ts';

const groundOf = (page: Page) => page.evaluate(() => getComputedStyle(document.body).backgroundColor);

describe('everybody', () => {
  const browser = useBrowser();
  const product = useProduct();

  async function aSession(): Promise<string> {
    const { port } = product();
    const sessionId = await newSession(port, {
      displayName: 'For everybody',
      labels: { env: 'dev' },
      state: { a: 1 },
    });
    await call(port, 'append_event', {
      sessionId,
      text: 'Hello **there**, see `x` and [a link](https://a.example).',
    });
    await call(port, 'append_event', {
      sessionId,
      author: 'helper',
      text: '# Yes\n\n- one\n- two',
      stateDelta: { a: 2 },
    });
    const parts = [{ functionCall: { id: 'f', name: 'lookup', args: { q: 'x' } } }];
    await call(port, 'append_event', { sessionId, author: 'helper', content: { role: 'model', parts } });
    await call(port, 'append_event', { sessionId, author: 'מתכנן', text: 'שלום עולם, 3 ק״מ.' });
    return sessionId;
  }

  it.each([
    ['light', 1200],
    ['dark', 1200],
    ['light', 360],
    ['dark', 360],
  ] as const)('sees every view in %s at %i pixels, and axe finds nothing', async (colorScheme, width) => {
    const { port } = product();
    const sessionId = await aSession();
    const options = { colorScheme, viewport: { width, height: 740 } };
    const { page, faults } = await visit(browser(), addressOf(port), options);
    await page.getByRole('navigation').getByRole('listitem').first().waitFor();
    await page.getByText('Filters').click();
    await expectAccessible(page, 'list');
    expect(await groundOf(page)).toBe(colorScheme === 'dark' ? 'rgb(22, 23, 26)' : 'rgb(251, 251, 249)');
    for (const view of ['conversation', 'time', 'state', 'files', 'family']) {
      await page.goto(addressOf(port, { session: sessionId, view }));
      await page.getByRole('tab', { selected: true }).waitFor();
      await page.getByRole('tabpanel').locator('> *').first().waitFor();
      await expectAccessible(page, view);
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      expect(overflow, view).toBeLessThanOrEqual(0);
    }
    await page.goto(addressOf(port, { session: sessionId }));
    await page.getByLabel('What to do with this session').click();
    await page.getByRole('button', { name: 'Delete' }).click();
    await expectAccessible(page, 'question');
    expect(faults).toEqual([]);
  });

  it('gets everywhere by keys alone', async () => {
    const { port } = product();
    await aSession();
    const { page } = await visit(browser(), addressOf(port));
    const item = page.getByRole('button', { name: 'For everybody' }).first();
    await item.waitFor();
    const focused = () =>
      page.evaluate(() => {
        const { activeElement: at } = document;
        if (at === document.body) return '';
        if (at instanceof HTMLTextAreaElement) return at.labels[0]?.textContent ?? '';
        return at?.getAttribute('aria-label') ?? at?.textContent?.slice(0, 200) ?? '';
      });
    const tabTo = async (name: RegExp) => {
      for (let i = 0; i < 60; i += 1) {
        if (name.test(await focused())) return;
        await page.keyboard.press('Tab');
      }
      throw new Error(`Tab does not lead to ${name}.`);
    };
    await tabTo(/For everybody/);
    await page.keyboard.press('Enter');
    await page.getByRole('tab', { name: 'Conversation' }).waitFor();
    await tabTo(/^Conversation$/);
    await page.keyboard.press('ArrowRight');
    expect(await focused()).toBe('Time');
    await page.getByRole('slider').waitFor();
    await page.keyboard.press('ArrowLeft');
    await page.keyboard.press('Tab');
    expect(await focused()).toBe('Conversation');
    await page.keyboard.press('Home');
    expect(await focused()).toContain('Hello there');
    await page.keyboard.press('ArrowDown');
    expect(await focused()).toContain('Yes');
    await tabTo(/^What to do with this event$|^⋯/);
    await page.keyboard.press('Enter');
    await tabTo(/^Fork from here/);
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'hidden' });
    await tabTo(/^Message to the agent$/);
  });

  it('reads times in a zone and texts in a direction of their own', async () => {
    const { port } = product();
    const sessionId = await newSession(port);
    const fields = { timestamp: '2026-01-02T23:30:00.000Z' };
    await call(port, 'append_event', { sessionId, text: 'نص عربي with English', fields });
    const zone = { timezoneId: 'Asia/Tokyo', locale: 'en-GB' };
    const { page } = await visit(browser(), addressOf(port, { session: sessionId }), zone);
    await page.getByRole('article').getByText('08:30:00').waitFor();
    await page.getByText('Saturday, 3 January 2026').waitFor();
    const paragraph = page.getByRole('article').locator('p').first();
    expect(await paragraph.evaluate((p) => getComputedStyle(p).direction)).toBe('rtl');
    expect(await page.evaluate(() => getComputedStyle(document.body).direction)).toBe('ltr');
  });
});

describe('a server of its own process', () => {
  const browser = useBrowser();

  it('shows what another process appends; its loss is said, and mended by itself', async () => {
    const store = `sqlite:${scratch()}/s.db`;
    const args = ['--store', store, '--user', 'ann'];
    const first = startServerProcess(args);
    const other = startServerProcess(args);
    const [port, otherPort] = [await first.port, await other.port];
    const sessionId = await newSession(port, { displayName: 'Shared' });
    const { page } = await visit(browser(), addressOf(port, { session: sessionId }));
    await page.getByText('No events yet.').waitFor();
    await call(otherPort, 'append_event', { sessionId, author: 'far', text: 'From another process.' });
    await page.getByRole('feed').getByText('From another process.').waitFor();

    first.child.kill('SIGKILL');
    await first.exit;
    await page.getByText('The server does not answer. This page tries again by itself.').waitFor();
    await expectAccessible(page, 'lost');
    await call(otherPort, 'append_event', { sessionId, author: 'far', text: 'Said meanwhile.' });
    const again = startServerProcess([...args, '--port', String(port)]);
    await page.getByRole('feed').getByText('Said meanwhile.').waitFor({ timeout: 20_000 });
    await expect.poll(() => page.getByText('The server does not answer.').count()).toBe(0);
    for (const { child, exit } of [again, other]) {
      child.kill('SIGKILL');
      await exit;
    }
  });
});
