import path from 'node:path';
import { bundled, fixed, heading, machine, rate, rawStdio, row, scratch } from './tools.ts';

const rounds = 8;
const perRound = Math.max(50, Math.round(2000 * Number(process.env.BENCH_SCALE ?? 1)));

const subjects = 'Ada Bo Cy Dag Eva Finn Gro Hal Ida Jon Kaja Leif Mona Nils Oda Per'.split(' ');
const things = 'bread rivers letters bicycles gardens winters songs ladders maps candles'.split(' ');

/** Some fifty words, of which about forty are different: a paragraph of a conversation. */
function paragraph(n: number): string {
  const sentence = (k: number) =>
    `${subjects[(n + k) % 16]} told me about ${things[(n * 3 + k) % 10]} and thing${(n * 7 + k) % 977} near town${(n + 31 * k) % 311}.`;
  return Array.from({ length: 5 }, (_, k) => sentence(k)).join(' ');
}

/** What the index of words costs an append of `append_event`: CPU of servers with and without it, in turns. */
export default async function run(): Promise<void> {
  machine();
  heading('append_event over stdio with and without the index of words: CPU of the server per call');
  const server = await bundled('bench/indexing-server.ts');
  for (const lanes of [1, 32]) {
    const subjects = ['plain', 'indexed'].map((kind) => ({
      client: rawStdio(server, [path.join(scratch(), 'i.db'), kind]),
      cpu: 0,
    }));
    let n = 0;
    for (const { client } of subjects) {
      await client.call('create_session', { sessionId: 's' });
      // Compiled code is what counts in a server that runs for long.
      await rate(2 * perRound, lanes, () =>
        client.call('append_event', { sessionId: 's', text: paragraph(n++) }),
      );
    }
    for (let round = 0; round < rounds; round += 1)
      for (const subject of subjects) {
        const before = subject.client.cpu();
        await rate(perRound, lanes, () =>
          subject.client.call('append_event', { sessionId: 's', text: paragraph(n++) }),
        );
        subject.cpu += subject.client.cpu() - before;
      }
    const [plain, indexed] = subjects.map(({ cpu }) => cpu / (rounds * perRound));
    row(`without the index, ${lanes} in flight`, `${fixed(plain ?? 0, 0)} µs`);
    row(
      `with it, ${lanes} in flight`,
      `${fixed(indexed ?? 0, 0)} µs = ${fixed((indexed ?? 0) / (plain ?? 0))} ×`,
      '≤ 1.25 ×',
    );
    for (const { client } of subjects) client.close();
  }
}
