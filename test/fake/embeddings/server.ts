import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** What the endpoint does with requests from now on. */
export interface Behaviour {
  /** Milliseconds before the answer. */
  delayMs?: number;
  /** Refuses, with these headers and a body that must never be repeated. */
  status?: number;
  headers?: Record<string, string>;
  /** Answers this text instead of JSON with vectors. */
  body?: string;
  /** Changes the vectors of an answer. */
  spoil?: (vectors: number[][]) => unknown[];
  /** Refuses requests with a text for which this is true, as a model with a limit does. */
  refuses?: (text: string) => boolean;
  /** The head of the answer comes at once, its body never. */
  hangs?: boolean;
}

export interface FakeEmbeddings {
  /** With the version, as in the configuration. */
  url: string;
  /** Texts of each request, with the model that was asked for. */
  requests: { model: string; input: string[]; dimensions?: number }[];
  behave(behaviour: Behaviour): void;
  close(): Promise<void>;
}

/** What words mean, by hand: words of one line mean the same. */
const meanings = [
  ['car', 'automobile', 'vehicle', 'drive'],
  ['doctor', 'physician', 'hospital'],
  ['dog', 'puppy', 'spaniel'],
  ['money', 'salary', 'wages', 'paid'],
  ['rain', 'umbrella', 'wet'],
  ['music', 'guitar', 'concert'],
  ['bread', 'bakery', 'loaf'],
];
export const dimensions = meanings.length + 1;

/** The last number stands for all that none of the words says. */
function vectorOf(text: string): number[] {
  const words: readonly string[] = text.toLowerCase().match(/\p{L}+/gu) ?? [];
  const counts = meanings.map((all) => words.filter((word) => all.includes(word)).length);
  return [...counts, counts.some((count) => count > 0) ? 0.1 : 1];
}

/** An OpenAI-compatible endpoint for embeddings on this machine, which refuses what real ones refuse. */
export async function fakeEmbeddings(options: { key?: string } = {}): Promise<FakeEmbeddings> {
  const requests: FakeEmbeddings['requests'] = [];
  let now: Behaviour = {};

  async function handle(req: IncomingMessage, res: ServerResponse): Promise<void> {
    let text = '';
    for await (const chunk of req.setEncoding('utf8')) text += chunk as string;
    if (req.method !== 'POST' || req.url !== '/v1/embeddings') return answer(res, 404, 'no such path');
    if (options.key !== undefined && req.headers.authorization !== `Bearer ${options.key}`)
      return answer(res, 401, `wrong key: ${String(req.headers.authorization)}`);
    const { model, input, dimensions: wanted } = JSON.parse(text) as FakeEmbeddings['requests'][number];
    const faulty =
      typeof model !== 'string' ||
      !Array.isArray(input) ||
      input.length === 0 ||
      input.length > 256 ||
      input.some((one) => typeof one !== 'string' || one === '' || !one.isWellFormed());
    if (faulty) return answer(res, 400, 'input must be texts');
    requests.push({ model, input, ...(wanted === undefined ? {} : { dimensions: wanted }) });
    const { delayMs, status, headers, body, spoil, refuses, hangs } = now;
    if (delayMs !== undefined) await sleep(delayMs, undefined, { ref: false });
    if (status !== undefined) return answer(res, status, 'upstream detail sk-leaked-key', headers);
    if (refuses !== undefined && input.some(refuses)) return answer(res, 400, `too long: ${input[0]}`);
    if (hangs === true) {
      res.writeHead(200, { 'content-type': 'application/json' });
      res.flushHeaders();
      return;
    }
    const vectors = input
      .map(vectorOf)
      .map((vector) => (wanted === undefined ? vector : cut(vector, wanted)));
    const made: unknown[] = spoil === undefined ? vectors : spoil(vectors);
    const data = made.map((embedding, index) => ({ object: 'embedding', index, embedding }));
    res.writeHead(200, { 'content-type': 'application/json' });
    // Clients go by the index, not by the order.
    res.end(body ?? JSON.stringify({ object: 'list', data: data.toReversed(), model }));
  }

  const server = createServer((req, res) => {
    void handle(req, res).catch(() => res.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/v1`,
    requests,
    behave(behaviour) {
      now = behaviour;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const cut = (vector: number[], length: number): number[] => Array.from({ length }, (_, i) => vector[i] ?? 0);

function answer(
  res: ServerResponse,
  status: number,
  text: string,
  headers: Record<string, string> = {},
): void {
  res.writeHead(status, { 'content-type': 'application/json', ...headers });
  res.end(JSON.stringify({ error: { message: text } }));
}
