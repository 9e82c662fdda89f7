/** Researches: takes one turn after the other, and answers with the page of docs/ that has a word most often. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { connect, tell } from '../hand-over/client.ts';

const [store = '', name = '', dies] = process.argv.slice(2);
const docs = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', '..', 'docs');

const researcher = await connect('researcher', store);
tell(name, 'waits for a turn');
for (;;) {
  const taken = await researcher.call('take_turn', {
    agent: 'researcher',
    worker: name,
    leaseSeconds: 2,
    waitSeconds: 50,
  });
  if (taken.timedOut === true) continue;
  const { claim, session, turn } = taken as {
    claim: string;
    session: { id: string };
    turn: { note: string; tries: number };
  };
  tell(name, `takes ${turn.note}, try ${turn.tries}`);
  await sleep(300);
  if (dies === 'dies') process.kill(process.pid, 'SIGKILL');
  await researcher.call('append_event', {
    sessionId: session.id,
    author: 'researcher',
    text: find(turn.note),
    claim,
  });
  tell(name, `answers ${turn.note}`);
}

function find(word: string): string {
  const pages = readdirSync(docs).filter((file) => file.endsWith('.md'));
  const counts = pages.map((file) => {
    const text = readFileSync(path.join(docs, file), 'utf8');
    return { file, count: text.split(new RegExp(`\\b${word}`, 'i')).length - 1 };
  });
  const [best] = counts.sort((a, b) => b.count - a.count);
  return `docs/${best?.file} speaks most of "${word}": ${best?.count} times.`;
}
