/**
 * Recall of our searches beside plain FTS5 and MiniSearch, on conversations with questions whose evidence is known:
 *
 *   npm run bench -- recall --locomo FILE [--longmemeval FILE] [--embeddings URL [--model NAME]]
 *
 * LoCoMo is `data/locomo10.json` of github.com/snap-research/LoCoMo (CC BY-NC 4.0), LongMemEval-S is
 * `longmemeval_s_cleaned.json` of its authors. Neither is part of this project. Ranking was tuned on the first three
 * conversations of LoCoMo; the others tell how good it is. With the address of an endpoint for embeddings, such as
 * http://127.0.0.1:11434/v1, what words and meaning find together is measured, too; EMBEDDINGS_KEY may hold its key.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { openLocal } from '../src/backend/local/index.ts';
import type { Backend } from '../src/backend/types.ts';
import { type Embedder, openEmbedder } from '../src/embeddings/embedder.ts';
import { createLog } from '../src/log.ts';
import { openStore } from '../src/store/open.ts';
import { type Conversation, readLocomo, readLongMemEval } from './recall-data.ts';
import { ftsSearch, miniSearch } from './recall-others.ts';
import { fixed, heading, machine, row } from './tools.ts';

const most = 20;

/** Places of the evidence among what was found, for one question. */
interface Answered {
  evidence: readonly string[];
  found: readonly string[];
  ms: number;
}

type Search = (question: string) => Promise<readonly string[]>;

export default async function run(): Promise<void> {
  const { values } = parseArgs({
    args: process.argv.slice(3),
    options: {
      locomo: { type: 'string' },
      longmemeval: { type: 'string' },
      embeddings: { type: 'string' },
      model: { type: 'string', default: 'nomic-embed-text' },
    },
  });
  const { embeddings: baseUrl, model } = values;
  const embedder = baseUrl === undefined ? undefined : () => embedderAt(baseUrl.replace(/\/+$/, ''), model);
  if (values.locomo === undefined && values.longmemeval === undefined) {
    process.stderr.write('Give the data: npm run bench -- recall --locomo FILE [--longmemeval FILE]\n');
    process.exitCode = 2;
    return;
  }
  machine();
  if (values.locomo !== undefined) {
    const { conversations, tuned, note } = await readLocomo(values.locomo);
    if (note !== undefined) row('data', note);
    await locomo('LoCoMo, conversations that ranking was tuned on', conversations.slice(0, tuned), embedder);
    await locomo('LoCoMo, conversations that nobody tuned on', conversations.slice(tuned), embedder);
  }
  if (values.longmemeval !== undefined) await longMemEval(values.longmemeval, embedder);
}

type Embedding = (() => Embedder) | undefined;

function embedderAt(baseUrl: string, model: string): Embedder {
  const apiKey = process.env.EMBEDDINGS_KEY;
  const log = createLog((line) => process.stderr.write(line), apiKey === undefined ? [] : [apiKey]);
  return openEmbedder({ baseUrl, model, apiKey, batchSize: 64, searchMs: 10_000 }, log);
}

/** Until all that was stored has its vectors. */
async function embedded(backend: Backend): Promise<void> {
  for (;;) {
    const note = (await backend.describe()).notes.find((one) => one.startsWith('Search finds'));
    if (note === undefined || !/\bwait|still to be made|looked through/.test(note)) return;
    await sleep(100);
  }
}

async function locomo(
  title: string,
  conversations: readonly Conversation[],
  embedder: Embedding,
): Promise<void> {
  if (conversations.length === 0) return;
  heading(`${title}: ${conversations.length}`);
  const results = new Map<string, Answered[]>();
  for (const conversation of conversations) {
    const { backend, memories, facts, events } = await ours(conversation, undefined);
    const fused = embedder && (await ours(conversation, embedder));
    const searches: Record<string, Search> = {
      'plain FTS5 bm25()': ftsSearch(conversation),
      MiniSearch: miniSearch(conversation),
      'ours, memories': memories,
      'ours, memories made of events': facts,
      'ours, events with neighbours': events,
      ...(fused && {
        'ours with meaning, memories': fused.memories,
        'ours with meaning, memories made of events': fused.facts,
        'ours with meaning, events': fused.events,
      }),
    };
    for (const [name, search] of Object.entries(searches))
      results.set(name, [...(results.get(name) ?? []), ...(await answer(conversation, search))]);
    await backend.close();
    await fused?.backend.close();
  }
  for (const [name, answers] of results) row(name, figures(answers));
}

async function answer(conversation: Conversation, search: Search): Promise<Answered[]> {
  const answers: Answered[] = [];
  for (const { question, evidence } of conversation.questions) {
    const start = performance.now();
    const found = await search(question);
    answers.push({ evidence, found, ms: performance.now() - start });
  }
  return answers;
}

/** Apart from the memories that know nothing of events. */
const madeOfEvents = { made: 'of events' };

/** The conversation as memories and as events of a new store. */
async function ours(
  conversation: Conversation,
  embedder: Embedding,
): Promise<{ backend: Backend; memories: Search; facts: Search; events: Search }> {
  const store = await openStore({ url: 'memory:', durability: 'normal', dataDir: '.' });
  const backend = openLocal({ store, embedder: embedder?.() });
  const owner = { app: 'recall', userId: 'u' };
  const ids = new Map<string, string>();
  for (const session of conversation.sessions) {
    await backend.sessions?.create?.(owner, { sessionId: session.id });
    for (const { id, speaker, text } of session.turns) {
      const memory = await backend.memory?.create?.(owner, { fact: `${speaker}: ${text}` });
      ids.set(memory?.id ?? '', id);
      await backend.events?.append?.(
        { ...owner, sessionId: session.id },
        { id, author: speaker, content: { parts: [{ text }] } },
      );
    }
    await backend.memory?.addSession?.({ ...owner, sessionId: session.id }, { scope: madeOfEvents });
  }
  await embedded(backend);
  return {
    backend,
    facts: async (text) =>
      ((await backend.memory?.search?.(owner, { text, limit: most, scope: madeOfEvents })) ?? []).map(
        ({ source }) => source?.eventId ?? '',
      ),
    memories: async (text) =>
      ((await backend.memory?.search?.(owner, { text, limit: most })) ?? []).map(
        ({ id }) => ids.get(id) ?? '',
      ),
    events: async (text) =>
      ((await backend.events?.search?.({ ...owner, text, limit: most, around: 0 }))?.hits ?? []).map(
        ({ event }) => event.id,
      ),
  };
}

/** Of each question the sessions that hold the answer, among some fifty of its own. */
async function longMemEval(file: string, embedder: Embedding): Promise<void> {
  const { conversations, note } = await readLongMemEval(file);
  heading(`LongMemEval: ${conversations.length} questions, sessions found`);
  if (note !== undefined) row('data', note);
  for (const [name, embedding] of [
    ['ours, list_sessions with query', undefined],
    ...(embedder === undefined ? [] : [['ours with meaning, list_sessions with query', embedder] as const]),
  ] as const)
    row(name, figures(await sessionsFound(conversations, embedding)));
}

async function sessionsFound(
  conversations: readonly Conversation[],
  embedder: Embedding,
): Promise<Answered[]> {
  const answers: Answered[] = [];
  for (const conversation of conversations) {
    const store = await openStore({ url: 'memory:', durability: 'normal', dataDir: '.' });
    const backend = openLocal({ store, embedder: embedder?.() });
    const owner = { app: 'recall', userId: 'u' };
    for (const session of conversation.sessions) {
      const staged = await backend.transfer?.stage?.(owner, { sessionId: session.id });
      for (const { id, speaker, text } of session.turns)
        await staged?.addEvent({
          id,
          author: speaker,
          invocationId: 'i',
          timestamp: new Date(0).toISOString(),
          content: { parts: [{ text }] },
        });
      await staged?.commit({});
    }
    await embedded(backend);
    const sessions: Search = async (text) => {
      const page = await backend.sessions?.list?.({ ...owner, pageSize: most, text });
      return (page?.items ?? []).map(({ id }) => id);
    };
    answers.push(...(await answer(conversation, sessions)));
    await backend.close();
  }
  return answers;
}

function figures(answers: readonly Answered[]): string {
  const mean = (of: (answer: Answered) => number) =>
    answers.reduce((sum, one) => sum + of(one), 0) / Math.max(1, answers.length);
  const percent = (of: (answer: Answered) => number) => fixed(100 * mean(of), 1);
  const recall = (k: number) =>
    percent(({ evidence, found }) => {
      const top = new Set(found.slice(0, k));
      return evidence.filter((id) => top.has(id)).length / evidence.length;
    });
  const first = ({ evidence, found }: Answered) =>
    found.slice(0, 10).findIndex((id) => evidence.includes(id));
  const at = [1, 5, 10, 20].map((k) => `R@${k} ${recall(k)}`).join('  ');
  const hit = percent((one) => (first(one) < 0 ? 0 : 1));
  const mrr = percent((one) => (first(one) < 0 ? 0 : 1 / (first(one) + 1)));
  return `${at}  hit@10 ${hit}  MRR@10 ${mrr}  ${fixed(mean(({ ms }) => ms))} ms  (${answers.length} questions)`;
}
