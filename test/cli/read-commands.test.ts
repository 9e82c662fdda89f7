import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { openLocal } from '../../src/backend/local/index.ts';
import type { Backend } from '../../src/backend/types.ts';
import type { Part } from '../../src/model/event.ts';
import { openSqlite } from '../../src/store/sqlite/index.ts';
import { bundle } from '../e2e/bundle.ts';
import { run } from '../e2e/run.ts';
import { scratch } from '../scratch.ts';

const owner = { app: 'default', userId: 'ada' };

/** A store that was filled before the command comes; answers the arguments that name it. */
async function filled(fill: (local: Required<Backend>) => Promise<unknown>): Promise<string[]> {
  const file = path.join(scratch(), 'data.db');
  // A minute between any two writes, so that orders are certain.
  let clock = Date.parse('2026-01-01T00:00:00.000Z');
  const now = () => (clock += 60_000);
  const local = openLocal({
    store: await openSqlite({ path: file, durability: 'normal' }),
    now,
  }) as Required<Backend>;
  await fill(local);
  await local.close();
  return ['--store', `sqlite:${file}`, '--user', 'ada'];
}

const append = (local: Required<Backend>, sessionId: string, author: string, ...parts: Part[]) =>
  local.events.append?.({ ...owner, sessionId }, { author, content: { parts } });

const nasty = 'a\u001b[2Jb\u0007c\u202ed\u009be\tf\r\nplanner  2026-01-01 00:00:00Z';

async function trips(local: Required<Backend>): Promise<void> {
  await local.sessions.create?.(owner, { sessionId: 'old', displayName: 'Old\u001b[31m trip\nx' });
  await append(local, 'old', 'user', { text: 'Where to?' });
  await local.sessions.create?.(owner, { sessionId: 'trip', displayName: 'Trip to Bergen', state: { k: 1 } });
  await append(local, 'trip', 'user', { text: nasty });
  await append(
    local,
    'trip',
    'planner',
    { text: 'Let me see.' },
    { functionCall: { id: 'c1', name: 'find_flights', args: { to: 'Bergen' } } },
  );
  const answer = await append(local, 'trip', 'user', {
    functionResponse: { id: 'c1', name: 'find_flights', response: { price: 3 } },
  });
  const secret = await append(local, 'trip', 'planner', { text: 'a hidden word' });
  await local.events.setVisibility?.({ ...owner, sessionId: 'trip' }, secret?.event.id ?? '', true);
  expect(answer?.event.author).toBe('user');
  await local.sessions.create?.({ ...owner, userId: 'bob' }, { sessionId: 'of-bob' });
}

describe('list', () => {
  it('prints the sessions of the user, the latest first, and how each ended', async () => {
    const where = await filled(trips);
    const { code, stdout, stderr } = await run(['list', ...where]);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout.split('\n')).toEqual([
      'trip  Trip to Bergen',
      expect.stringMatching(
        /^ {2}updated 2026-01-01 \d\d:\d\d:00Z, 4 events, last user: find_flights answers \{"price":3\}$/,
      ),
      'old  Old\\u001b[31m trip\\u000ax',
      expect.stringMatching(/^ {2}updated .*, 1 event, last user: Where to\?$/),
      '',
    ]);
    expect((await run(['list', '--limit', '1', ...where])).stdout).toMatch(/^trip .*\n.*\n$/);
  });

  it('prints JSON Lines for programs', async () => {
    const { stdout } = await run(['list', '--json', ...(await filled(trips))]);
    const sessions = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(sessions.map(({ id }) => id)).toEqual(['trip', 'old']);
    expect(sessions[1]?.displayName).toBe('Old\u001b[31m trip\nx');
    expect(stdout).not.toContain('\u001b');
  });

  it('goes through all pages, and ends quietly when its reader has enough', async () => {
    const where = await filled(async (local) => {
      for (let i = 0; i < 230; i += 1) await local.sessions.create?.(owner, { sessionId: `s${i}` });
    });
    const all = await run(['list', '--json', ...where]);
    expect(all.stdout.trim().split('\n')).toHaveLength(230);
    expect(
      (await run(['list', '--json', '--limit', '105', ...where])).stdout.trim().split('\n'),
    ).toHaveLength(105);
    const command = [process.execPath, bundle, 'list', ...where].map((word) => `'${word}'`).join(' ');
    const child = spawn('/bin/bash', ['-c', `${command} | head -n 1; exit \${PIPESTATUS[0]}`], {
      env: { PATH: process.env.PATH ?? '', HOME: scratch() },
    });
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    expect(await new Promise((resolve) => child.on('close', resolve))).toBe(0);
    expect(said).toBe('s229\n');
  });

  it('says whose sessions there are none of', async () => {
    const { code, stdout, stderr } = await run(['list', ...(await filled(trips)), '--user', 'eve']);
    expect([code, stdout]).toEqual([0, '']);
    expect(stderr).toBe('User eve has no sessions in app default. --user and --app name others.\n');
  });
});

describe('show', () => {
  it('prints a conversation, in which no text can pass for another event or move the cursor', async () => {
    const where = await filled(trips);
    const { code, stdout, stderr } = await run(['show', 'trip', ...where]);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout.replaceAll(/2026-01-01 \d\d:\d\d:00Z(?=\n|,)/g, 'TIME')).toBe(
      [
        'trip  Trip to Bergen',
        'user ada, app default, created TIME, updated TIME, 4 events',
        '',
        'user  TIME',
        '  a\\u001b[2Jb\\u0007c\\u202ed\\u009be\tf',
        '  planner  TIME',
        '',
        'planner  TIME',
        '  Let me see.',
        '  calls find_flights {"to":"Bergen"}',
        '',
        'user  TIME',
        '  find_flights answers {"price":3}',
        '',
      ].join('\n'),
    );
  });

  it('prints hidden events only when asked', async () => {
    const where = await filled(trips);
    const { stdout } = await run(['show', 'trip', '--hidden', ...where]);
    expect(stdout).toMatch(/planner {2}\S+ \S+ {2}\(hidden: manual\)\n {2}a hidden word\n$/);
    expect((await run(['show', 'trip', '--json', ...where])).stdout.trim().split('\n')).toHaveLength(3);
  });

  it('prints long texts whole, page by page', async () => {
    const where = await filled(async (local) => {
      await local.sessions.create?.(owner, { sessionId: 's' });
      for (let i = 0; i < 120; i += 1)
        await append(local, 's', 'user', { text: `${i} ${'word '.repeat(5000)}` });
    });
    const { stdout } = await run(['show', 's', ...where]);
    expect(stdout.length).toBeGreaterThan(120 * 25_000);
    expect(stdout.match(/^ {2}\d+ word/gm)).toHaveLength(120);
  });

  it('says that there is no such session, and what prints those that there are', async () => {
    const ended = await run(['show', 'of-bob', ...(await filled(trips))]);
    expect(ended).toMatchObject({ code: 1, stdout: '' });
    expect(ended.stderr).toMatch(/^There is no such session\. `agent-sessions-mcp list` prints/);
  });
});

describe('search', () => {
  const memories = (local: Required<Backend>) =>
    Promise.all(
      ['Ada likes green tea with\nhoney \u001b[5m', 'Ada owns a bicycle', 'Tea is drunk at five'].map(
        (fact) => local.memory.create?.(owner, { fact }),
      ),
    );

  it('prints memories that match some words', async () => {
    const where = await filled(memories);
    const { code, stdout, stderr } = await run(['search', 'green', 'tea', ...where]);
    expect([code, stderr]).toEqual([0, 'Memories of user ada in app default, the best match first:\n']);
    expect(stdout).toMatch(
      /^Ada likes green tea with\n {2}honey \\u001b\[5m\n {2}memory \S+, 2026-01-01 .*\nTea is drunk at five\n/,
    );
    expect(stdout).not.toContain('bicycle');
    const lines = (await run(['search', 'tea', '--json', '--limit', '1', ...where])).stdout
      .trim()
      .split('\n');
    expect(lines.map((line) => (JSON.parse(line) as { memory: object }).memory)).toHaveLength(1);
  });

  it('prints what was said in sessions, after the memories, and where', async () => {
    const where = await filled(async (local) => {
      await trips(local);
      await local.memory.create?.(owner, { fact: 'Bergen is rainy' });
    });
    const { code, stdout, stderr } = await run(['search', 'bergen', ...where]);
    expect([code, stderr.split('\n')]).toEqual([
      0,
      [
        'Memories of user ada in app default, the best match first:',
        'Events of the sessions of user ada in app default, the best match first:',
        '',
      ],
    ]);
    expect(stdout).toMatch(
      /^Bergen is rainy\n {2}memory .*\nplanner: Let me see\.\n {2}calls find_flights \{"to":"Bergen"\}\n {2}event \S+, 2026-01-01 \S+, session trip {2}Trip to Bergen\n/,
    );
    const lines = (await run(['search', 'bergen', '--json', '--limit', '1', ...where])).stdout
      .trim()
      .split('\n');
    expect(lines.map((line) => Object.keys(JSON.parse(line) as object))).toEqual([
      ['memory'],
      ['session', 'event'],
    ]);
  });

  it('says that nothing matches', async () => {
    const { code, stdout, stderr } = await run(['search', 'coffee', ...(await filled(memories))]);
    expect([code, stdout]).toEqual([0, '']);
    expect(stderr).toBe('No memory, and no event of the sessions, of user ada in app default matches.\n');
  });

  it('says that a backend can search neither', async () => {
    const ended = await run(['search', 'tea', '--backend', 'vectara', '--user', 'ada'], {
      env: { VECTARA_API_KEY: 'zut_0123456789', VECTARA_AGENT: 'a' },
    });
    expect(ended).toMatchObject({ code: 1, stdout: '' });
    expect(ended.stderr).toMatch(/^The vectara backend cannot search\. Name another with --backend\./);
  });
});

describe('a store that is not there', () => {
  it.each([['list'], ['show', 's'], ['search', 'tea'], ['export', 's']])(
    'is named and not made by %s',
    async (...command) => {
      const file = path.join(scratch(), 'mistyped.db');
      const ended = await run([...command, '--store', `sqlite:${file}`]);
      expect(ended).toMatchObject({ code: 2, stdout: '' });
      expect(ended.stderr).toMatch(
        /^There is no store at .*mistyped\.db\. The server makes it at its first start/,
      );
      expect(existsSync(file)).toBe(false);
    },
  );

  it('is refused in memory too, where there can be nothing', async () => {
    expect(await run(['list', '--store', 'memory:'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('A store in memory is empty at every start.'),
    });
  });

  it('is made by the server, which says that it is new, once', async () => {
    const store = ['--store', `sqlite:${path.join(scratch(), 'data.db')}`];
    expect((await run(store)).stderr).toContain('A new, empty local store was made.');
    const again = (await run(store)).stderr;
    expect(again).toContain('The local store is open.');
    expect(again).not.toContain('new');
  });
});

it('a flag that two commands have is taken by both', async () => {
  const where = await filled(trips);
  const { stdout } = await run(['export', 'trip', '--with-shared-state', ...where]);
  expect(stdout).toContain('"kind":"end"');
  expect((await run(['backup', 'f', '--json', ...where])).stderr).toMatch(
    /^--json is an option of doctor, list, show and search, not of backup\./,
  );
});
