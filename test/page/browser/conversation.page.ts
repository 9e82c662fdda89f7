import { describe, expect, it } from 'vitest';
import { addressOf, call, expectAccessible, newSession, useBrowser, useProduct, visit } from './harness.ts';

describe('a conversation', () => {
  const browser = useBrowser();
  const product = useProduct();

  it('reads as people talk: Markdown, tool calls with their answers, files, errors, hand-overs', async () => {
    const { port } = product();
    const sessionId = await newSession(port, { displayName: 'Bergen' });
    const say = (args: Record<string, unknown>) => call(port, 'append_event', { sessionId, ...args });
    await say({ text: 'Will it **rain**? See [the forecast](https://www.yr.no/en).' });
    await say({
      author: 'weather',
      content: {
        role: 'model',
        parts: [{ functionCall: { id: 'f', name: 'forecast', args: { city: 'Bergen' } } }],
      },
    });
    await call(port, 'submit_tool_outputs', {
      sessionId,
      outputs: [{ toolCallId: 'f', output: { mm: 14 } }],
    });
    await call(port, 'save_artifact', {
      sessionId,
      name: 'list.csv',
      mimeType: 'text/csv',
      text: 'what,n\nboots,2\n',
    });
    await say({
      author: 'weather',
      text: '| day | mm |\n|---|---|\n| Sat | 14 |',
      stateDelta: { step: 'answered' },
      fields: { actions: { transferAgent: 'planner', artifactDelta: { 'list.csv': 0 } } },
    });
    await say({ author: 'planner', fields: { errorCode: 'RATE', errorMessage: 'Too many requests.' } });
    const { page, faults } = await visit(browser(), addressOf(port, { session: sessionId }));
    const feed = page.getByRole('feed', { name: 'Conversation' });
    await expect.poll(() => feed.getByRole('article').count()).toBe(4);
    expect(await feed.locator('strong').first().textContent()).toBe('rain');
    expect(await feed.getByRole('table').textContent()).toContain('Sat');
    await feed.getByText('forecast', { exact: true }).click();
    await feed.getByRole('group', { name: 'Answer of forecast' }).getByText('"mm": 14').waitFor();
    expect(await feed.getByText(/^done in/).count()).toBe(1);
    await feed.getByText('list.csv').click();
    await feed.getByRole('cell', { name: 'boots' }).waitFor();
    expect(await feed.getByText('Hands over to planner').count()).toBe(1);
    expect(await feed.getByText('Too many requests.').count()).toBe(1);
    await feed.getByText('Sets state: step').click();
    await expectAccessible(page, 'conversation');
    expect(faults).toEqual([]);
  });

  it('opens a link only after it has shown where it leads', async () => {
    const { port } = product();
    const sessionId = await newSession(port);
    await call(port, 'append_event', { sessionId, text: '[your bank](https://xn--bnk-0la.example/login)' });
    const { page } = await visit(browser(), addressOf(port, { session: sessionId }));
    await page.getByRole('link', { name: 'your bank' }).click();
    const dialog = page.getByRole('dialog', { name: 'Open this link?' });
    await dialog.getByText('https://xn--bnk-0la.example/login').waitFor();
    await expectAccessible(page, 'the question');
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'hidden' });
    expect(page.context().pages()).toHaveLength(1);
    await page.getByRole('link', { name: 'your bank' }).click();
    const opened = page.context().waitForEvent('page');
    await dialog.getByRole('button', { name: 'Open' }).click();
    await opened;
  });

  it('shows what others append as it comes, and what they hide, rename and delete', async () => {
    const { port } = product();
    const sessionId = await newSession(port, { displayName: 'Before' });
    await call(port, 'append_event', { sessionId, text: 'one', eventId: 'e1' });
    const { page } = await visit(browser(), addressOf(port, { session: sessionId }));
    await page.getByRole('feed').getByText('one', { exact: true }).waitFor();
    await call(port, 'append_event', { sessionId, author: 'helper', text: 'two' });
    await page.getByRole('feed').getByText('two', { exact: true }).waitFor();
    await call(port, 'set_event_visibility', { sessionId, eventId: 'e1', hidden: true });
    await call(port, 'update_session', { sessionId, displayName: 'After' });
    await page.getByRole('heading', { name: 'After' }).waitFor({ timeout: 10_000 });
    await expect.poll(() => page.getByRole('feed').getByText('one', { exact: true }).count()).toBe(0);
    await call(port, 'delete_session', { sessionId, confirm: true });
    await page.getByText('This session is not there any more').waitFor({ timeout: 10_000 });
  });
});
