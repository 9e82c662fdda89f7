import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Backend } from '../../src/backend/types.ts';
import { exportSession } from '../../src/transfer/export.ts';
import { type ImportOptions, importSession } from '../../src/transfer/import.ts';
import { ada, eventsOf, grow, idle, local, make, plain, read, save, stateOf, verb } from './support.ts';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

async function exported(backend: Backend, sessionId: string, withSharedState = false): Promise<string> {
  let text = '';
  const write = async (line: string) => {
    text += line;
  };
  await exportSession(backend, { ...ada, sessionId }, write, { withSharedState });
  return text;
}

/** The bytes of a text in small pieces, which cut lines and characters anywhere. */
async function* pieces(content: string | Buffer, size = 1000): AsyncGenerator<Uint8Array, void> {
  const bytes = Buffer.from(content);
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const take = (backend: Backend, content: string | Buffer, options: Partial<ImportOptions> = {}) =>
  importSession(backend, ada, pieces(content), { signal: idle, ...options });

const linesOf = (text: string) => text.trimEnd().split('\n');
const joined = (lines: readonly string[]) => `${lines.join('\n')}\n`;
const end = (lines: readonly string[]): string => {
  const kinds = lines.map((line) => (JSON.parse(line) as { kind: string }).kind);
  const count = (kind: string) => kinds.filter((one) => one === kind).length;
  return JSON.stringify({
    kind: 'end',
    counts: { session: 1, event: count('event'), artifact: count('artifact') },
    sha256: sha256(joined(lines)),
  });
};

async function full(): Promise<Backend> {
  const from = await local();
  const ref = await make(from, 's', {
    displayName: 'Näme "q"',
    labels: { kind: 'trip' },
    state: { topic: 'tea', 'user:lang': 'en', 'app:motd': 'hi' },
    expireTime: new Date(Date.now() + 86_400_000).toISOString(),
  });
  await grow(from, ref, [{ n: 0 }, { n: 1, 'user:lang': 'de' }, { n: 2 }]);
  await verb(from.sessions?.update)(ref, { state: { topic: 'coffee' } });
  await verb(from.events?.setVisibility)(ref, 'e1', true);
  await verb(from.feedback?.register)(ref, { eventId: 'e2', score: 1, text: 'good' });
  await save(from, ref, 'f.txt', 'one');
  await save(from, ref, 'f.txt', 'two');
  await save(from, ref, 'user:mine.txt', 'of the user');
  return from;
}

describe('export and import', () => {
  it('bring a session from one store to another as it was', async () => {
    const from = await full();
    const text = await exported(from, 's');
    const to = await local();
    const { session, losses } = await take(to, text);
    expect(losses).toEqual([]);
    const ref = { ...ada, sessionId: 's' };
    const { updateTime: _at, revision: _revision, ...wanted } = await verb(from.sessions?.get)(ref);
    expect(session).toMatchObject({ ...wanted, state: { topic: 'coffee' } });
    expect(await eventsOf(to, ref)).toEqual(await eventsOf(from, ref));
    expect([await read(to, ref, 'f.txt', 0), await read(to, ref, 'f.txt', 1)]).toEqual(['one', 'two']);
    const strip = (content: string) =>
      linesOf(content).map((line) => line.replace(/"(updateTime|revision|sha256)":("[^"]*"|\d+),?/g, ''));
    expect(strip(await exported(to, 's'))).toEqual(strip(text));
    await expect(take(to, text)).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
    expect((await take(to, text, { sessionId: 'other' })).session.id).toBe('other');
  });

  it('say first what follows, and last what came', async () => {
    const lines = linesOf(await exported(await full(), 's'));
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      kind: 'session',
      format: 2,
      contents: { events: 3, artifacts: 1 },
    });
    expect(JSON.parse(lines.at(-1) ?? '')).toEqual({
      kind: 'end',
      counts: { session: 1, event: 3, artifact: 2 },
      sha256: sha256(joined(lines.slice(0, -1))),
    });
  });

  it('carry shared state only when asked, and set it only when asked', async () => {
    const from = await full();
    expect(await exported(from, 's')).not.toContain('"app:motd"');
    const text = await exported(from, 's', true);
    expect(text).toContain('"app:motd":"hi"');
    const to = await local();
    await take(to, text);
    expect(await stateOf(to, { ...ada, sessionId: 's' })).toEqual({ topic: 'coffee' });
    await take(to, text, { sessionId: 'shared', withSharedState: true });
    expect(await stateOf(to, { ...ada, sessionId: 's' })).toEqual({
      topic: 'coffee',
      'user:lang': 'de',
      'app:motd': 'hi',
    });
  });

  it('tell which tool calls are open, where the answer to another was deleted', async () => {
    const [from, to] = [await local(), await local()];
    const ref = await make(from, 's');
    const append = (id: string, part: object, author = 'bot', longRunningToolIds?: string[]) =>
      verb(from.events?.append)(ref, { id, author, content: { parts: [part] }, longRunningToolIds });
    const answer = (id: string) => ({ functionResponse: { id, name: 'f', response: { ok: true } } });
    await append('made', { functionCall: { id: 'answered', name: 'f' } });
    await append('long', { functionCall: { id: 'ended', name: 'f' } }, 'bot', ['ended']);
    await append('other', { functionCall: { id: 'open', name: 'f' } });
    await append('answer', answer('answered'), 'user');
    await append('end', answer('ended'), 'user');
    await append('last', { text: 'done' });
    for (const id of ['answer', 'end']) await verb(from.events?.delete)(ref, id, {});
    await take(to, await exported(from, 's'));
    await verb(to.sessions?.fork)(ref, { newSessionId: 'fork' });
    await verb(to.sessions?.fork)(ref, { newSessionId: 'early', upToEventId: 'other' });
    const open = async (sessionId: string) =>
      (await verb(to.toolCalls?.list)({ ...ada, sessionId })).map(({ id }) => id);
    expect([await open('s'), await open('fork')]).toEqual([['open'], ['open']]);
    expect(await open('early')).toEqual(['answered', 'ended', 'open']);
    for (const id of ['answered', 'ended'])
      await expect(
        verb(to.events?.append)(ref, { author: 'user', content: { parts: [answer(id)] } }),
      ).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' });
    expect((await eventsOf(to, ref)).map(({ id }) => id)).toEqual(['made', 'long', 'other', 'last']);
    expect(await exported(to, 's')).toContain('"openToolCalls":["open"]');
    await verb(to.events?.append)(ref, { author: 'user', content: { parts: [{ text: 'next' }] } });
    expect((await verb(to.sessions?.get)(ref)).eventCount).toBe(5);
  });

  it('bring along what a rewinding undid, and it counts for nothing there either', async () => {
    const [from, to] = [await local(), await local()];
    const ref = await make(from, 's');
    const append = (id: string, part: object) =>
      verb(from.events?.append)(ref, { id, author: 'bot', content: { parts: [part] } });
    await append('made', { functionCall: { id: 'asked', name: 'f' } });
    await append('answer', { functionResponse: { id: 'asked', name: 'f', response: {} } });
    await append('undone', { functionCall: { id: 'later', name: 'f' } });
    await verb(from.sessions?.rewind)(ref, { eventId: 'made' });
    await take(to, await exported(from, 's'));
    await verb(to.sessions?.fork)(ref, { newSessionId: 'fork' });
    for (const sessionId of ['s', 'fork']) {
      const open = await verb(to.toolCalls?.list)({ ...ada, sessionId });
      expect(open.map(({ id }) => id)).toEqual(['asked']);
    }
    const answer = { functionResponse: { id: 'asked', name: 'f', response: {} } };
    await verb(to.events?.append)(ref, { author: 'user', content: { parts: [answer] } });
  });

  it('read format 1, which has no last line', async () => {
    const lines = linesOf(await exported(await full(), 's'));
    const first = { ...(JSON.parse(lines[0] ?? '') as object), format: 1, contents: undefined };
    const old = joined([JSON.stringify(first), ...lines.slice(1, -1)]);
    const to = await local();
    expect((await take(to, old)).session).toMatchObject({
      id: 's',
      eventCount: 3,
      state: { topic: 'coffee' },
    });
    const other = plain(await local());
    expect((await take(other, old)).session).toMatchObject({
      id: 's',
      eventCount: 3,
      state: { topic: 'coffee' },
    });
  });

  it('take lines that end in CRLF', async () => {
    const text = await exported(await full(), 's');
    expect((await take(await local(), text.replaceAll('\n', '\r\n'))).session.eventCount).toBe(3);
  });

  it('leave out an expiry that has passed, and say so', async () => {
    const text = await exported(await full(), 's');
    const lines = linesOf(text.replace(/"expireTime":"[^"]*"/, '"expireTime":"2020-01-01T00:00:00.000Z"'));
    const { session, losses } = await take(
      await local(),
      joined([...lines.slice(0, -1), end(lines.slice(0, -1))]),
    );
    expect(session.expireTime).toBeUndefined();
    expect(losses.join()).toMatch(/expireTime was left out/);
  });

  it('write only what was there when the export began', async () => {
    const from = await full();
    const ref = { ...ada, sessionId: 's' };
    let text = '';
    await exportSession(from, ref, async (line) => {
      if (text === '') await verb(from.events?.append)(ref, { id: 'late', author: 'user' });
      text += line;
    });
    expect(text).not.toContain('"late"');
    expect((await take(await local(), text)).session.eventCount).toBe(3);
  });

  it('fail when events are deleted while they are exported', async () => {
    const from = await full();
    const ref = { ...ada, sessionId: 's' };
    const work = exportSession(from, ref, () => verb(from.events?.delete)(ref, 'e2').catch(() => {}));
    await expect(work).rejects.toMatchObject({ code: 'ABORTED' });
  });
});

describe('a damaged file is refused with its line, and nothing stays', () => {
  const edit =
    (change: (lines: string[]) => string[], fresh = true) =>
    (text: string) => {
      const lines = change(linesOf(text).slice(0, -1));
      return joined(fresh ? [...lines, end(lines)] : [...lines, linesOf(text).at(-1) ?? '']);
    };
  const at = (number: number, change: (line: string) => string) => (lines: string[]) =>
    lines.map((line, i) => (i + 1 === number ? change(line) : line));
  const notUtf8 = (text: string) => {
    const bytes = Buffer.from(text);
    bytes[bytes.indexOf('m0')] = 0xff;
    return bytes;
  };
  const deep = `${'['.repeat(20_000)}${']'.repeat(20_000)}`;

  it.each<[string, number, (text: string) => string | Buffer, RegExp]>([
    ['cut between two lines', 4, (text) => joined(linesOf(text).slice(0, 3)), /cut off/],
    ['cut within a line', 3, (text) => text.slice(0, text.indexOf('m1')), /not JSON/],
    ['without a line in the middle', 6, edit((lines) => lines.toSpliced(2, 1), false), /announces 3 event/],
    [
      'with a changed line',
      7,
      edit(
        at(2, (line) => line.replace('m0', 'm9')),
        false,
      ),
      /sha256/,
    ],
    [
      'without word of its contents',
      1,
      edit(at(1, (line) => line.replace(/"contents":\{[^}]*\},/, ''))),
      /contents/,
    ],
    ['with data that is not base64', 5, edit(at(5, (line) => line.replace('b25l', 'b2*l'))), /base64/],
    ['with data that is cut', 5, edit(at(5, (line) => line.replace('b25l', 'b25'))), /base64/],
    ['with other data', 5, edit(at(5, (line) => line.replace('b25l', 'b25m'))), /sha256 of the artifact/],
    ['with another size', 5, edit(at(5, (line) => line.replace('"sizeBytes":3', '"sizeBytes":4'))), /bytes/],
    [
      'nested 20,000 deep',
      2,
      edit(
        at(2, (line) => line.replace('"n":0', `"n":${deep}`)),
        false,
      ),
      /nested|deep/,
    ],
    ['with half a character', 2, edit(at(2, (line) => line.replace('m0', '\\ud83d'))), /Unicode/],
    [
      'with a key that programs obey',
      2,
      edit(at(2, (line) => line.replace('"n":0', '"__proto__":0'))),
      /__proto__/,
    ],
    ['with an event that is none', 2, edit(at(2, (line) => line.replace('"author"', '"writer"'))), /author/],
    [
      'with a time that is none',
      3,
      edit(at(3, (line) => line.replace(/"timestamp":"[^"]*"/, '"timestamp":"noon"'))),
      /RFC 3339/,
    ],
    [
      'with a line that is too long',
      2,
      edit(
        at(2, (line) => line.replace('m0', 'x'.repeat(33 * 1024 * 1024))),
        false,
      ),
      /bytes/,
    ],
    [
      'with an event too large to store',
      2,
      edit(at(2, (line) => line.replace('m0', 'x'.repeat(7 * 1024 * 1024)))),
      /cannot be stored/,
    ],
    ['that is not UTF-8', 2, notUtf8, /UTF-8/],
    [
      'with a second session',
      7,
      (text) => text.replace(/\{"kind":"end"/, `${linesOf(text)[0]}\n$&`),
      /another session/,
    ],
    ['with lines after its end', 8, (text) => `${text}{"kind":"event"}\n`, /after the end/],
    [
      'with more events than it announced',
      4,
      edit(at(1, (line) => line.replace('"events":3', '"events":2'))),
      /more than line 1/,
    ],
    ['without a beginning', 1, (text) => joined(linesOf(text).slice(1)), /not the first line/],
    ['that is empty', 1, () => '', /empty/],
    ['that is something else', 1, () => 'hello\n', /not JSON/],
  ])('%s', async (_what, number, damage, words) => {
    const from = await full();
    const to = await local();
    const error = await take(to, damage(await exported(from, 's')), { sessionId: 'new' }).then(
      () => undefined,
      (reason: Error) => reason,
    );
    expect(error).toMatchObject({ message: expect.stringMatching(new RegExp(`^Line ${number} `)) });
    expect(error?.message).toMatch(words);
    expect(error).toMatchObject({ code: expect.stringMatching(/INVALID_ARGUMENT|RESOURCE_EXHAUSTED/) });
    expect((await verb(to.sessions?.list)({ ...ada, pageSize: 10 })).items).toEqual([]);
  });
});

it('the example in docs/export-import.md is an export', async () => {
  const page = readFileSync('docs/export-import.md', 'utf8');
  const example = /```jsonl\n([\s\S]*?)```/.exec(page)?.[1] ?? '';
  const to = await local();
  const { session, losses } = await take(to, example);
  expect(losses).toEqual([]);
  expect(session).toMatchObject({ id: 'trip', eventCount: 2, state: { city: 'Bergen' } });
  const again = linesOf(await exported(to, 'trip')).slice(1, -1);
  expect(again.map((line) => JSON.parse(line))).toEqual(
    linesOf(example)
      .slice(1, -1)
      .map((line) => JSON.parse(line)),
  );
});
