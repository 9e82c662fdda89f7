/**
 * How much later a client hears an agent's first word because we are in between: from the moment at which
 * the model's endpoint writes it to the moment at which the client has it, through stream_query over stdio and
 * through a bare pipe (fetch to stdout) of the same Node.js. Then the same for the end of the answer. Turns
 * alternate, and every session grows as sessions do.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { bundled, fixed, heading, machine, median, quantile, row, scratch } from './tools.ts';

type Json = Record<string, unknown>;

const turns = Number(process.env.BENCH_TURNS ?? 100);
const words = Array.from({ length: 40 }, (_, i) => `word${i} `);

interface Upstream {
  url: string;
  firstAt: number;
  lastAt: number;
  close(): void;
}

/** An endpoint that takes 20 ms to think and 4 ms for every word, and notes when it wrote what. */
async function upstream(): Promise<Upstream> {
  const server = createServer(async (req, res) => {
    req.resume();
    res.writeHead(200, { 'content-type': 'text/event-stream' });
    const send = (delta: Json, finish: string | null) =>
      res.write(
        `data: ${JSON.stringify({ id: '1', choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`,
      );
    await sleep(20);
    for (const [i, content] of words.entries()) {
      if (i === 0) noted.firstAt = performance.now();
      send({ content }, null);
      await sleep(4);
    }
    noted.lastAt = performance.now();
    send({}, 'stop');
    res.end('data: [DONE]\n\n');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const noted: Upstream = {
    url: `http://127.0.0.1:${port}/v1`,
    firstAt: 0,
    lastAt: 0,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
  return noted;
}

/** Sends a line, and resolves to when the first and the last word of the answer were there. */
function turn(
  child: ChildProcess,
  line: string,
  first: RegExp,
  last: RegExp,
): Promise<{ firstAt: number; lastAt: number; text: string }> {
  return new Promise((resolve) => {
    let text = '';
    let firstAt: number | undefined;
    const onData = (chunk: string) => {
      text += chunk;
      if (firstAt === undefined && first.test(text)) firstAt = performance.now();
      if (!last.test(text)) return;
      child.stdout?.off('data', onData);
      resolve({ firstAt: firstAt ?? Number.NaN, lastAt: performance.now(), text });
    };
    child.stdout?.setEncoding('utf8').on('data', onData);
    child.stdin?.write(`${line}\n`);
  });
}

const meta = (progressToken: string) => ({
  progressToken,
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientInfo': { name: 'bench', version: '1' },
  'io.modelcontextprotocol/clientCapabilities': {},
});

export default async function run(): Promise<void> {
  machine();
  const model = await upstream();
  const folder = scratch();
  const config = path.join(folder, 'config.json');
  writeFileSync(
    config,
    JSON.stringify({ agents: { default: { kind: 'chat', baseUrl: model.url, model: 'm' } } }),
  );
  const server = await bundled('src/main.ts');
  const stdio = { stdio: ['pipe', 'pipe', 'ignore'] as ['pipe', 'pipe', 'ignore'] };
  const store = `sqlite:${path.join(folder, 'store.db')}`;
  const ours = spawn(process.execPath, [server, '--store', store, '--config', config], stdio);
  const bare = fileURLToPath(new URL('./pipe.mjs', import.meta.url));
  const pipe = spawn(process.execPath, [bare, `${model.url}/chat/completions`], stdio);

  let sessionId: string | undefined;
  let id = 0;
  const ask = async () => {
    id += 1;
    const params = {
      name: 'stream_query',
      arguments: { sessionId, message: 'Go on.' },
      _meta: meta(`p${id}`),
    };
    const line = JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params });
    const answer = await turn(ours, line, /notifications\/progress/, /"result":.*\n$/);
    sessionId ??= /"sessionId":"([^"]+)"/.exec(answer.text)?.[1];
    if (!answer.text.includes('word39')) throw new Error(answer.text);
    return answer;
  };
  const subjects = [
    { name: 'bare pipe', ask: () => turn(pipe, '{}', /word0/, /\[end\]\n$/) },
    { name: 'stream_query', ask },
  ].map((subject) => ({ ...subject, first: [] as number[], last: [] as number[] }));
  for (let i = 0; i < turns + 5; i += 1)
    for (const subject of subjects) {
      const { firstAt, lastAt } = await subject.ask();
      // The first turns load what is loaded late.
      if (i < 5) continue;
      subject.first.push(firstAt - model.firstAt);
      subject.last.push(lastAt - model.lastAt);
    }

  const ms = (n: number) => `${fixed(n)} ms`;
  for (const [title, pick, target] of [
    ['From the endpoint’s first word to the client', 'first', '≤ 60 ms median'],
    ['From its last word to the end of the answer, stored', 'last', ''],
  ] as const) {
    heading(title);
    for (const subject of subjects) {
      const times = subject[pick].toSorted((a, b) => a - b);
      const shown = `median ${ms(median(times))}, 95 % ${ms(quantile(times, 0.95))}`;
      row(subject.name, shown, subject.name === 'stream_query' ? target : '');
    }
  }
  ours.kill();
  pipe.kill();
  model.close();
}
