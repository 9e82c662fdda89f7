import { readFile } from 'node:fs/promises';
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { addressOf, call, newSession, useBrowser, useProduct, visit } from './harness.ts';
import { parseExport } from './parse-export.ts';

describe('what a person can do', () => {
  const browser = useBrowser();
  const product = useProduct();

  const open = async (sessionId: string): Promise<Page> =>
    (await visit(browser(), addressOf(product().port, { session: sessionId }))).page;
  const events = async (sessionId: string) =>
    ((await call(product().port, 'list_events', { sessionId })) as { events: { id: string }[] }).events;
  const ofEvent = async (page: Page, text: string, action: string) => {
    const row = page.getByRole('article').filter({ hasText: text });
    await row.getByLabel('What to do with this event').click();
    await row.getByRole('button', { name: action }).click();
  };
  const ofSession = async (page: Page, action: string) => {
    await page.getByLabel('What to do with this session').click();
    await page.getByRole('button', { name: action, exact: true }).click();
  };

  it('sends a message to the agent, by Enter, and sees its answer', async () => {
    const sessionId = await newSession(product().port, { displayName: 'Talk' });
    const page = await open(sessionId);
    const field = page.getByLabel('Message to the agent');
    await field.fill('First line');
    await field.press('Shift+Enter');
    await field.pressSequentially('second line');
    await field.press('Enter');
    await expect.poll(async () => (await events(sessionId)).length).toBeGreaterThanOrEqual(2);
    await expect.poll(() => page.getByRole('feed').getByRole('article').count()).toBeGreaterThanOrEqual(2);
    expect(await field.inputValue()).toBe('');
    expect(JSON.stringify((await events(sessionId))[0])).toContain('First line\\nsecond line');
  });

  it('answers an open tool call with a text, an object, or an error', async () => {
    const { port } = product();
    const sessionId = await newSession(port);
    const parts = ['a', 'b'].map((id) => ({ functionCall: { id, name: `ask_${id}` } }));
    await call(port, 'append_event', { sessionId, author: 'agent', content: { role: 'model', parts } });
    const page = await open(sessionId);
    await page.getByText('waits for 2 tools’ answers').waitFor();
    await page.getByLabel('Answer for ask_a').fill('{"mm": 14}');
    await page.getByRole('button', { name: 'Answer', exact: true }).first().click();
    await page.getByText('The call of ask_a is answered.').waitFor();
    await page.getByLabel('Answer for ask_b').fill('It broke.');
    await page.getByRole('button', { name: 'Answer as an error' }).click();
    await page.getByText('failed in').waitFor();
    expect(await call(port, 'list_tool_calls', { sessionId })).toMatchObject({ toolCalls: [] });
    expect(JSON.stringify(await events(sessionId))).toContain('"response":{"mm":14}');
  });

  it('hides an event, sees it greyed when asked for, and shows it again', async () => {
    const { port } = product();
    const sessionId = await newSession(port);
    await call(port, 'append_event', { sessionId, text: 'stays' });
    await call(port, 'append_event', { sessionId, text: 'goes' });
    const page = await open(sessionId);
    await ofEvent(page, 'goes', 'Hide');
    await page.getByText('The event is hidden').waitFor();
    await expect.poll(() => page.getByRole('feed').getByText('goes').count()).toBe(0);
    await page.getByLabel('What to do with this session').click();
    await page.getByLabel('Show hidden events').check();
    await page
      .getByRole('article')
      .filter({ hasText: 'goes' })
      .getByText('hidden', { exact: true })
      .waitFor();
    await page.getByLabel('What to do with this session').click();
    await ofEvent(page, 'goes', 'Show again');
    await expect.poll(async () => (await events(sessionId)).length).toBe(2);
  });

  it('forks from an event, and is then in the copy', async () => {
    const { port } = product();
    const sessionId = await newSession(port, { displayName: 'Source' });
    for (const text of ['one', 'two', 'three']) await call(port, 'append_event', { sessionId, text });
    const page = await open(sessionId);
    await ofEvent(page, 'two', 'Fork from here');
    await page.getByLabel('Name of the copy').fill('The copy');
    await page.getByRole('dialog').getByRole('button', { name: 'Fork' }).click();
    await page.getByRole('heading', { level: 1, name: 'The copy' }).waitFor();
    await expect.poll(() => page.getByRole('feed').getByRole('article').count()).toBe(2);
    expect(await events(sessionId)).toHaveLength(3);
  });

  it('renames a session', async () => {
    const sessionId = await newSession(product().port, { displayName: 'Old' });
    const page = await open(sessionId);
    await ofSession(page, 'Rename');
    await page.getByLabel('Name', { exact: true }).fill('New');
    await page.getByLabel('Name', { exact: true }).press('Enter');
    await page.getByRole('heading', { level: 1, name: 'New' }).waitFor();
  });

  it('deletes an event or a session only after a yes, and says what is lost', async () => {
    const { port } = product();
    const sessionId = await newSession(port, { displayName: 'Doomed' });
    for (const text of ['one', 'two']) await call(port, 'append_event', { sessionId, text });
    const page = await open(sessionId);
    await ofEvent(page, 'two', 'Delete');
    const dialog = page.getByRole('dialog');
    expect(await dialog.textContent()).toContain('State that it set stays.');
    await dialog.getByRole('button', { name: 'Cancel' }).click();
    expect(await events(sessionId)).toHaveLength(2);
    await ofEvent(page, 'two', 'Delete');
    await dialog.getByRole('button', { name: 'Delete' }).click();
    await expect.poll(async () => (await events(sessionId)).length).toBe(1);
    await ofSession(page, 'Delete');
    expect(await dialog.textContent()).toContain('“Doomed” is deleted with its 1 event');
    await dialog.getByRole('button', { name: 'Delete' }).click();
    await page.getByText('The session is deleted.').waitFor();
    await expect.poll(() => page.getByRole('navigation').getByText('Doomed').count()).toBe(0);
  });

  it('exports a session as a file that the importer takes, hidden events and files included', async () => {
    const { port } = product();
    const sessionId = await newSession(port, { displayName: 'Kept', state: { a: 1, 'user:b': 2 } });
    await call(port, 'append_event', { sessionId, text: 'grüße 👩🏽‍🚀' });
    await call(port, 'append_event', { sessionId, text: 'hidden', eventId: 'h' });
    await call(port, 'set_event_visibility', { sessionId, eventId: 'h', hidden: true });
    for (const text of ['v0', 'v1']) await call(port, 'save_artifact', { sessionId, name: 'a.txt', text });
    const page = await open(sessionId);
    const download = page.waitForEvent('download');
    await ofSession(page, 'Export');
    const file = await (await download).path();
    const { header, entries } = parseExport(await readFile(file, 'utf8'));
    expect(header.session).toMatchObject({ displayName: 'Kept', state: { a: 1 } });
    expect(entries.map(({ kind }) => kind)).toEqual(['event', 'event', 'artifact', 'artifact']);
  });

  it('rewinds to an event, and says what is lost', async () => {
    const { port } = product();
    const sessionId = await newSession(port);
    for (const text of ['one', 'two', 'three'])
      await call(port, 'append_event', { sessionId, text, eventId: text });
    const page = await open(sessionId);
    await ofEvent(page, 'one', 'Rewind to here');
    const dialog = page.getByRole('dialog');
    expect(await dialog.textContent()).toContain('2 later events no longer count');
    await dialog.getByRole('button', { name: 'Rewind' }).click();
    await page.getByText('The session is rewound.').waitFor();
    expect(await events(sessionId)).toMatchObject([{ id: 'one' }]);
  });

  it('sees sessions that others begin', async () => {
    const { port } = product();
    const { page } = await visit(browser(), addressOf(port));
    await page.getByRole('main').waitFor();
    await newSession(port, { displayName: 'Begun elsewhere' });
    await page.getByRole('button', { name: 'Begun elsewhere' }).waitFor();
  });

  it('finds what was said in any session, and goes there', async () => {
    const { port } = product();
    const sessionId = await newSession(port, { displayName: 'Long ago' });
    for (let i = 0; i < 150; i += 1)
      await call(port, 'append_event', { sessionId, text: i === 7 ? 'The quokka smiles.' : `Line ${i}.` });
    const { page } = await visit(browser(), addressOf(port));
    await page.getByLabel('Search sessions').fill('quokka');
    const hits = page.getByRole('region', { name: 'What was said' });
    await hits.getByRole('button', { name: 'The quokka smiles.' }).click();
    await page.getByRole('heading', { level: 1, name: 'Long ago' }).waitFor();
    await expect
      .poll(() => page.evaluate(() => document.activeElement?.textContent))
      .toContain('The quokka smiles.');
  });

  it('finds a session by words, labels and app', async () => {
    const { port } = product();
    await newSession(port, { displayName: 'Needle in Oslo', labels: { env: 'dev' } });
    await newSession(port, { displayName: 'Elsewhere', app: 'other-app' });
    const { page } = await visit(browser(), addressOf(port));
    const list = page.getByRole('navigation', { name: 'Sessions' });
    await list.getByLabel('Search sessions').fill('needle oslo');
    await expect.poll(() => list.getByRole('listitem').count()).toBe(1);
    await list.getByLabel('Search sessions').fill('');
    await list.getByText('Filters').click();
    await list.getByLabel('Filter', { exact: true }).fill('labels.env="dev"');
    await expect.poll(() => list.getByRole('listitem').count()).toBe(1);
    await list.getByLabel('Filter', { exact: true }).fill('');
    await list.getByLabel('App').selectOption('other-app');
    await list.getByRole('button', { name: 'Elsewhere' }).waitFor();
    await expect.poll(() => list.getByRole('listitem').count()).toBe(1);
  });
});
