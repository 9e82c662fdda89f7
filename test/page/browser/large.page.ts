import { beforeAll, describe, expect, it } from 'vitest';
import { addressOf, call, expectAccessible, useBrowser, useProduct, visit } from './harness.ts';
import { manyEvents } from './many-events.ts';

const count = 10_000;

describe(`a session of ${count} events`, () => {
  const browser = useBrowser();
  const product = useProduct();
  let sessionId = '';
  beforeAll(async () => {
    sessionId = await manyEvents(product().backend, { app: 'default', userId: 'ann' }, count);
  }, 60_000);

  it('has in the document only what is seen, wherever the reader is', { timeout: 90_000 }, async () => {
    const { port } = product();
    const { page, faults } = await visit(browser(), addressOf(port, { session: sessionId }));
    const feed = page.getByRole('feed', { name: 'Conversation' });
    await feed.getByText(`Remark ${count - 1}.`).waitFor();
    await page.getByText('Reading earlier events').waitFor({ state: 'detached', timeout: 60_000 });
    // An answer of a tool stands with its call.
    expect(await feed.getByRole('article').first().getAttribute('aria-setsize')).toBe(
      String((count / 5) * 4),
    );
    const most = async () => expect(await feed.getByRole('article').count()).toBeLessThan(80);
    await most();
    // What the reader looks at stays while earlier events come in above.
    await feed.getByText(`Remark ${count - 1}.`).waitFor();
    await feed.focus();
    await page.keyboard.press('Home');
    await feed.getByText('Question 0:').waitFor();
    await most();
    const middle = await feed.evaluate((list) => {
      list.scrollTop = list.scrollHeight / 2;
      return list.scrollHeight;
    });
    expect(middle).toBeGreaterThan(300_000);
    await expect.poll(() => feed.getByRole('article').count()).toBeGreaterThan(3);
    await most();
    await expectAccessible(page, 'in the middle');
    await page.keyboard.press('End');
    await feed.getByText(`Remark ${count - 1}.`).waitFor();
    await call(port, 'append_event', { sessionId, text: 'One more.' });
    await feed.getByText('One more.').waitFor();
    expect(faults).toEqual([]);
  });

  it('shows the whole time and state with few elements', { timeout: 90_000 }, async () => {
    const { port } = product();
    const { page, faults } = await visit(browser(), addressOf(port, { session: sessionId, view: 'time' }));
    await page.getByText('Reading earlier events').waitFor({ state: 'detached', timeout: 60_000 });
    await page.getByRole('table', { name: 'Tools' }).waitFor();
    expect(await page.locator('svg *').count()).toBeLessThan(8000);
    await page.getByRole('tab', { name: 'State' }).click();
    await page.getByRole('feed', { name: 'Changes' }).getByRole('article').first().waitFor();
    expect(await page.getByRole('article').count()).toBeLessThan(80);
    expect(faults).toEqual([]);
  });
});
