/**
 * The session page in Chromium over a server process: how soon one sees a session of 10,000 events, from the request
 * for the page to the last event on the screen, and whether scrolling through it ever stops for long.
 *
 *   npm run bench -- page
 */
import { rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { buildPage } from '../build.ts';
import { openLocal } from '../src/backend/local/index.ts';
import { openStore } from '../src/store/open.ts';
import { addressOf, launch } from '../test/page/browser/harness.ts';
import { manyEvents } from '../test/page/browser/many-events.ts';
import { start } from './http-client.ts';
import { bundled, heading, machine, median, row, scratch, whole } from './tools.ts';

const rounds = Number(process.env.BENCH_ROUNDS ?? 5);
const events = 10_000;
/** Scrolls to a part of the list, and waits until that is on the screen. */
const jump = `(part) => new Promise((resolve) => {
  const list = document.querySelector('[role=feed]');
  list.scrollTop = list.scrollHeight * part;
  requestAnimationFrame(() => requestAnimationFrame(() => resolve()));
})`;

/** The longest task of the page's own thread in a trace: by the clock and in CPU, in milliseconds. */
function longestTask(trace: Buffer): { clock: number; cpu: number } {
  const { traceEvents } = JSON.parse(trace.toString()) as { traceEvents: TraceEvent[] };
  const thread = traceEvents.find(
    ({ name, args }) => name === 'thread_name' && args?.name === 'CrRendererMain',
  );
  const tasks = traceEvents.filter(
    ({ name, tid, pid }) => name === 'RunTask' && tid === thread?.tid && pid === thread.pid,
  );
  return {
    clock: Math.max(0, ...tasks.map(({ dur = 0 }) => dur / 1000)),
    cpu: Math.max(0, ...tasks.map(({ tdur = 0 }) => tdur / 1000)),
  };
}

interface TraceEvent {
  name: string;
  pid: number;
  tid: number;
  dur?: number;
  tdur?: number;
  args?: { name?: string };
}

export default async function run(): Promise<void> {
  const folder = scratch();
  const file = path.join(folder, 'sessions.db');
  const main = await bundled('src/main.ts');
  const page = path.join(path.dirname(main), 'page.html');
  await buildPage(page);
  const backend = openLocal({
    store: await openStore({ url: `sqlite:${file}`, durability: 'normal', dataDir: folder }),
  });
  const owner = { app: 'default', userId: 'bench' };
  const sessionId = await manyEvents(backend, owner, events);
  const few = await manyEvents(backend, owner, 20);
  await backend.close();
  const server = await start(main, ['http', '--port', '0', '--store', `sqlite:${file}`, '--user', 'bench']);
  const browser = await launch();
  const [first, small, all]: [number[], number[], number[]] = [[], [], []];
  const longest: { clock: number; cpu: number }[] = [];

  async function view(id: string, last: string): Promise<number> {
    const context = await browser.newContext({ viewport: { width: 1200, height: 800 } });
    const tab = await context.newPage();
    await tab.goto(addressOf(Number(new URL(server.url).port), { session: id }), { waitUntil: 'commit' });
    await tab.getByRole('feed').getByText(last).waitFor();
    const seen = await tab.evaluate(() => performance.now());
    if (id === sessionId) {
      await tab.getByText('Reading earlier events').waitFor({ state: 'detached', timeout: 60_000 });
      all.push(await tab.evaluate(() => performance.now()));
      await tab.getByRole('feed').hover();
      await browser.startTracing(tab, { categories: ['disabled-by-default-devtools.timeline', 'toplevel'] });
      // By the wheel, as people do, then by jumps, as the thumb of a scroll bar does.
      for (let i = 0; i < 60; i += 1) await tab.mouse.wheel(0, -1200);
      for (let i = 0; i < 40; i += 1) await tab.evaluate(`(${jump})(${((i * 37) % 40) / 40})`);
      longest.push(longestTask(await browser.stopTracing()));
    }
    await context.close();
    return seen;
  }

  for (let i = 0; i < rounds; i += 1) {
    first.push(await view(sessionId, `Remark ${events - 1}.`));
    small.push(await view(few, 'Remark 19.'));
  }
  await browser.close();
  server.child.kill();
  rmSync(folder, { recursive: true });

  machine();
  heading('The session page in Chromium (medians)');
  row('size of the page, bytes', whole(statSync(page).size), '≤ 200,000');
  row(`first view of a session of ${whole(events)} events`, `${whole(median(first))} ms`, '≤ 1,000 ms');
  row('the same of 20 events', `${whole(median(small))} ms`);
  row('all events read, in the background', `${whole(median(all))} ms`);
  row(
    'longest task while scrolling, all rounds: CPU (by the clock)',
    `${whole(Math.max(...longest.map(({ cpu }) => cpu)))} ms (${whole(Math.max(...longest.map(({ clock }) => clock)))} ms)`,
    '≤ 100 ms',
  );
}
