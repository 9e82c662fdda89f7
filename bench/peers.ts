/**
 * The same conversation, appended one event at a time and read back, in this server and in other stores for the
 * sessions of agents: events per second at three lengths, and how much an append grows in between. All are open at
 * once and take turns, so that what else the machine does falls on all alike. The others are installed into
 * bench/peers. BENCH_SCALE makes all sizes smaller; BENCH_SECONDS limits how long one of them is filled.
 */
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { openInProcess, openOverMcp } from './peer-ours.ts';
import {
  openAdkDatabase,
  openAdkMemory,
  openLangGraph,
  openOpenAiAgents,
  openServerMemory,
  type Peer,
} from './peer-stores.ts';
import { curve, fixed, heading, machine, median, row, times, whole } from './tools.ts';

const scale = Number(process.env.BENCH_SCALE ?? 1);
const scaled = (size: number): number => Math.max(100, Math.round(size * scale));
const sizes = [scaled(1000), scaled(10_000), scaled(20_000)];
const fillSeconds = Number(process.env.BENCH_SECONDS ?? 60);
const rounds = 5;
const appendsInARound = 20;
/** A peer whose appends take longer than this in all is asked for no further round. */
const appendSeconds = 15;

export default async function run(): Promise<void> {
  const folder = path.join(import.meta.dirname, 'peers');
  const { status } = spawnSync('npm', ['ci', '--loglevel=error'], { cwd: folder, stdio: 'inherit' });
  if (status !== 0) throw new Error('The packages in bench/peers could not be installed.');
  machine();
  heading('A conversation, one event at a time, beside other stores for sessions');
  const overMcp = await conversation(openOverMcp());
  const durable = await conversation(openInProcess('full'));
  const memory = await conversation(openInProcess('memory'));
  const adkDatabase = await conversation(openAdkDatabase());
  const serverMemory = await conversation(openServerMemory());
  const langGraph = await conversation(openLangGraph());
  const adkMemory = await conversation(openAdkMemory());
  const agents = await conversation(openOpenAiAgents());
  const all = [overMcp, durable, langGraph, adkDatabase, serverMemory, memory, adkMemory, agents];
  for (const size of sizes) {
    for (const one of all) await fill(one, size);
    for (const one of all) one.figures.push({ at: one.count, appends: [], seconds: 0 });
    for (let i = 0; i < rounds; i += 1) for (const one of all) await appendSome(one);
    for (const one of all) await readBack(one);
  }
  row('Redis Agent Memory Server', 'not run: a Python service beside Redis Stack');
  compare(overMcp, adkDatabase, ['≥ 15 ×', '', '≥ 30 ×']);
  compare(durable, adkDatabase, ['≥ 30 ×', '', '≥ 100 ×']);
  compare(memory, adkMemory, ['', '', '≥ 5 ×']);
  compare(overMcp, serverMemory, ['', '≥ 20 ×', '≥ 50 ×']);
  compare(durable, langGraph, []);
  curve(
    'One append, by the events that the session has',
    'events',
    'milliseconds',
    Object.fromEntries(
      all.map(({ peer, figures }) => [peer.name, figures.map((of) => [of.at, 1000 / perSecond(of)])]),
    ),
  );
  for (const { peer } of all) await peer.close();
}

interface Conversation {
  peer: Peer;
  count: number;
  /** It takes no further events: filling it took longer than is waited for. */
  stopped: boolean;
  figures: Figures[];
}

/** What was measured from `at` events on. */
interface Figures {
  at: number;
  /** Per second, one of each round. */
  appends: number[];
  seconds: number;
}

const perSecond = ({ appends }: Figures): number => median(appends);

async function conversation(opening: Promise<Peer>): Promise<Conversation> {
  return { peer: await opening, count: 0, stopped: false, figures: [] };
}

async function fill(one: Conversation, size: number): Promise<void> {
  const end = performance.now() + fillSeconds * 1000;
  while (one.count < size && !one.stopped) {
    const next = Math.min(size, one.count + one.peer.fillStep);
    await one.peer.fill(one.count, next);
    one.count = next;
    one.stopped = next < size && performance.now() > end;
  }
}

async function appendSome(one: Conversation): Promise<void> {
  const figures = one.figures.at(-1);
  if (figures === undefined || figures.seconds > appendSeconds) return;
  const start = performance.now();
  for (let i = 0; i < appendsInARound; i += 1) await one.peer.append(one.count + i);
  const seconds = (performance.now() - start) / 1000;
  one.count += appendsInARound;
  figures.seconds += seconds;
  figures.appends.push(appendsInARound / seconds);
}

/** Reads all back and reports what was measured at this length. */
async function readBack({ peer, count, stopped, figures }: Conversation): Promise<void> {
  const [read = Number.NaN] = await times(1, async () => {
    const found = await peer.read();
    if (found !== count) throw new Error(`${peer.name} has ${found} of ${count} events.`);
  });
  const [first, now] = [figures[0], figures.at(-1)];
  if (first === undefined || now === undefined) return;
  const growth = now === first ? '' : ` (${fixed(perSecond(first) / perSecond(now))} × the time)`;
  row(
    `${peer.name}, at ${whole(now.at)}`,
    `${whole(perSecond(now))}/s appended${growth}, ${whole((count * 1000) / read)}/s read back${stopped ? `; filled no further after ${fillSeconds} s` : ''}`,
  );
}

/** `targets`: the least ratio at each length. */
function compare(ours: Conversation, other: Conversation, targets: readonly string[]): void {
  for (const [i, mine] of ours.figures.entries()) {
    const theirs = other.figures[i];
    if (theirs === undefined) continue;
    const lengths = theirs.at === mine.at ? whole(mine.at) : `${whole(mine.at)} and ${whole(theirs.at)}`;
    row(
      `${ours.peer.name} ÷ ${other.peer.name}, appends at ${lengths}`,
      `${fixed(perSecond(mine) / perSecond(theirs), 1)} ×`,
      targets[i],
    );
  }
}
