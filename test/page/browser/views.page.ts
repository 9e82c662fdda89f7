import { describe, expect, it } from 'vitest';
import { addressOf, call, expectAccessible, newSession, useBrowser, useProduct, visit } from './harness.ts';

const at = (second: number): string => new Date(Date.UTC(2026, 0, 2, 10, 0, second)).toISOString();

describe('the views of a session', () => {
  const browser = useBrowser();
  const product = useProduct();

  /** A conversation of three authors with set times. */
  async function conversation(port: number): Promise<string> {
    const sessionId = await newSession(port, { displayName: 'Trip', state: { 'user:language': 'en' } });
    const say = (second: number, args: Record<string, unknown>, fields: Record<string, unknown> = {}) =>
      call(port, 'append_event', { sessionId, ...args, fields: { timestamp: at(second), ...fields } });
    await say(0, { text: 'Will it rain?', eventId: 'ask' });
    const parts = [{ functionCall: { id: 'f', name: 'forecast', args: { city: 'Bergen' } } }];
    await say(2, { author: 'weather', content: { role: 'model', parts }, eventId: 'calls' });
    const answer = [{ functionResponse: { id: 'f', name: 'forecast', response: { mm: 14 } } }];
    await say(12, { author: 'weather', content: { role: 'user', parts: answer }, eventId: 'answers' });
    const usageMetadata = { totalTokenCount: 250 };
    await say(
      14,
      { author: 'weather', text: 'Yes.', stateDelta: { step: 'asked' }, eventId: 'yes' },
      { usageMetadata },
    );
    await say(
      20,
      { author: 'planner', text: 'Museums.', stateDelta: { step: 'planned' }, eventId: 'plan' },
      { branch: 'a.b' },
    );
    return sessionId;
  }

  it('time: a lane for each author and branch, tools, waits, tokens and sums', async () => {
    const { port } = product();
    const sessionId = await conversation(port);
    const { page, faults } = await visit(browser(), addressOf(port, { session: sessionId }));
    await page.getByRole('tab', { name: 'Time' }).click();
    await page.getByText('20.0 s from the first event to the last, 250 tokens').waitFor();
    const sums = page.getByRole('table', { name: 'Who took how long' });
    expect(await sums.getByRole('row').allTextContents()).toEqual([
      'authoreventsrunstool callsworksin toolswaited fortokens',
      expect.stringMatching(/^user /),
      expect.stringMatching(/^weather 3\d1/),
      expect.stringMatching(/^planner a\.b1/),
    ]);
    expect(await page.getByRole('table', { name: 'Tools' }).textContent()).toContain(
      'forecast110.0 s (50 %)',
    );
    expect(await page.locator('.bar.tool').count()).toBe(1);
    await page.getByRole('slider').press('ArrowLeft');
    await page.getByText('Event 4 of 5').waitFor();
    await page.getByRole('button', { name: 'Zoom in' }).click();
    await expectAccessible(page, 'time');
    await page.getByRole('button', { name: 'Show in the conversation' }).click();
    await expect.poll(() => page.evaluate(() => document.activeElement?.textContent)).toContain('Yes.');
    expect(faults).toEqual([]);
  });

  it('state: at any event, and what each changed', async () => {
    const { port } = product();
    const sessionId = await conversation(port);
    const { page, faults } = await visit(browser(), addressOf(port, { session: sessionId, view: 'state' }));
    const now = page.getByRole('region', { name: 'State now' });
    await now.getByText('"planned"').first().waitFor();
    await page.getByRole('feed', { name: 'Changes' }).getByText('"asked"').last().waitFor();
    await page.getByRole('slider').press('ArrowLeft');
    const then = page.getByRole('region', { name: 'State after this event' });
    await then.getByText('"asked"').waitFor();
    await then.getByText('"en"').waitFor();
    await page.getByRole('slider').press('Home');
    await then.getByText('what it was before is not recorded').waitFor();
    await expectAccessible(page, 'state');
    expect(faults).toEqual([]);
  });

  it('files: text, table and image, and nothing that an image could bring along', async () => {
    const { port } = product();
    const sessionId = await conversation(port);
    const save = (name: string, mimeType: string, content: Record<string, string>) =>
      call(port, 'save_artifact', { sessionId, name, mimeType, ...content });
    await save('notes.md', 'text/markdown', { text: '# Notes' });
    await save('rain.csv', 'text/csv', { text: 'day,mm\nSat,"1,4"\n' });
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="40" height="30"><script>parent.hacked = 1</script><image href="https://evil.example/x.png"/><rect width="40" height="30"/></svg>`;
    await save('shape.svg', 'image/svg+xml', { data: Buffer.from(svg).toString('base64') });
    const { page, faults } = await visit(browser(), addressOf(port, { session: sessionId, view: 'files' }));
    await page.getByText('notes.md').click();
    await page.locator('.heading', { hasText: 'Notes' }).waitFor();
    await page.getByText('rain.csv').click();
    await page.getByRole('cell', { name: '1,4' }).waitFor();
    await page.getByText('shape.svg').click();
    const image = page.getByRole('img', { name: 'shape.svg' });
    await expect.poll(() => image.evaluate((img: HTMLImageElement) => img.naturalWidth)).toBe(40);
    expect(await page.evaluate(() => 'hacked' in window)).toBe(false);
    await expectAccessible(page, 'files');
    const download = page.waitForEvent('download');
    await page.getByRole('button', { name: 'Save' }).first().click();
    expect((await download).suggestedFilename()).toBe('notes.md');
    expect(faults).toEqual([]);
  });

  it('forks: the family as a tree, and two of it side by side', async () => {
    const { port } = product();
    const sessionId = await conversation(port);
    const { session } = (await call(port, 'fork_session', {
      sessionId,
      upToEventId: 'yes',
      displayName: 'Other plan',
    })) as {
      session: { id: string };
    };
    await call(port, 'append_event', { sessionId: session.id, author: 'planner', text: 'A boat trip.' });
    const { page, faults } = await visit(browser(), addressOf(port, { session: sessionId, view: 'family' }));
    await page.getByText('fork at event 4').waitFor();
    await page.getByRole('button', { name: 'Compare' }).click();
    await page.getByRole('heading', { name: 'The first 4 events are the same in both.' }).waitFor();
    const side = (name: string) =>
      page.getByRole('region', { name: 'Comparison' }).getByRole('region', { name });
    expect(await side('Trip').getByRole('listitem').allTextContents()).toEqual([
      expect.stringContaining('Museums.'),
    ]);
    expect(await side('Other plan').getByRole('listitem').allTextContents()).toEqual([
      expect.stringContaining('A boat trip.'),
    ]);
    await expectAccessible(page, 'forks');
    await page.getByRole('main').getByRole('button', { name: 'Other plan' }).click();
    await page.getByRole('heading', { level: 1, name: 'Other plan' }).waitFor();
    await page.goBack();
    await page.getByRole('heading', { level: 1, name: 'Trip' }).waitFor();
    expect(faults).toEqual([]);
  });
});
