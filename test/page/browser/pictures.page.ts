import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { scratch } from '../../scratch.ts';
import { type ServerProcess, startServerProcess } from '../../server/http/harness.ts';
import { addressOf, call, useBrowser, visit } from './harness.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
/** `npm run pictures` puts them into docs/images; else they are made all the same, and dropped. */
const folder = process.env.PICTURES ?? scratch();
mkdirSync(folder, { recursive: true });

/** Runs what newcomers run first, and keeps its store. */
function demo(file: string): Promise<number | null> {
  const child = spawn(process.execPath, ['--import', 'tsx', 'examples/demo.ts', file], {
    cwd: root,
    stdio: 'ignore',
  });
  return new Promise((resolve) => child.on('exit', resolve));
}

describe('pictures of the demo’s session', () => {
  const browser = useBrowser();
  let server: ServerProcess;
  let port: number;
  let sessionId: string;
  let fork: string;

  beforeAll(async () => {
    const file = path.join(scratch(), 'demo.db');
    expect(await demo(file)).toBe(0);
    server = startServerProcess(['--store', `sqlite:${file}`, '--user', 'demo']);
    port = await server.port;
    const { sessions } = (await call(port, 'list_sessions')) as {
      sessions: { id: string; displayName: string; forkedFrom?: object }[];
    };
    sessionId = sessions.find(({ forkedFrom }) => forkedFrom === undefined)?.id ?? '';
    fork = sessions.find(({ forkedFrom }) => forkedFrom !== undefined)?.displayName ?? '';
  }, 120_000);
  afterAll(async () => {
    server.child.kill();
    await server.exit;
  });

  const views = [
    { view: 'conversation', scheme: 'light', shows: 'Pack a raincoat' },
    { view: 'time', scheme: 'light', shows: 'Who took how long' },
    { view: 'family', scheme: 'dark', shows: 'The first' },
  ] as const;

  it.each(views)('$view', async ({ view, scheme, shows }) => {
    const options = {
      colorScheme: scheme,
      viewport: { width: 1120, height: view === 'conversation' ? 820 : 640 },
      deviceScaleFactor: 1,
    } as const;
    const { page, faults } = await visit(browser(), addressOf(port, { session: sessionId, view }), options);
    if (view === 'family') await page.getByRole('button', { name: 'Compare' }).click();
    else await page.getByRole('navigation').getByText(fork).waitFor();
    await page.getByRole('tabpanel').getByText(shows).first().waitFor();
    if (view === 'conversation')
      await page.getByRole('tabpanel').getByText('forecast', { exact: true }).click();
    await page.screenshot({ path: path.join(folder, `page-${view}.png`), animations: 'disabled' });
    expect(faults).toEqual([]);
  });
});
