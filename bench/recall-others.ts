import { DatabaseSync } from 'node:sqlite';
import MiniSearch from 'minisearch';
import type { Conversation } from './recall-data.ts';

const most = 20;

const turnsOf = ({ sessions }: Conversation) =>
  sessions.flatMap(({ turns }) =>
    turns.map(({ id, speaker, text }) => ({ id, text: `${speaker}: ${text}` })),
  );

const wordsOf = (text: string): string[] => text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];

/** SQLite's full-text search as its manual shows it: Porter's stemmer, words joined by OR, `bm25()`. */
export function ftsSearch(conversation: Conversation): (question: string) => Promise<string[]> {
  const db = new DatabaseSync(':memory:');
  db.exec("create virtual table turns using fts5 (id unindexed, text, tokenize = 'porter unicode61')");
  const insert = db.prepare('insert into turns (id, text) values (?, ?)');
  for (const { id, text } of turnsOf(conversation)) insert.run(id, text);
  const select = db.prepare('select id from turns where turns match ? order by bm25(turns) limit ?');
  return async (question) => {
    const query = wordsOf(question)
      .map((word) => `"${word}"`)
      .join(' OR ');
    return query === '' ? [] : (select.all(query, most) as unknown as { id: string }[]).map(({ id }) => id);
  };
}

/** MiniSearch with its defaults. */
export function miniSearch(conversation: Conversation): (question: string) => Promise<string[]> {
  const index = new MiniSearch<{ id: string; text: string }>({ fields: ['text'] });
  index.addAll(turnsOf(conversation));
  return async (question) =>
    index
      .search(question)
      .slice(0, most)
      .map(({ id }) => String(id));
}
