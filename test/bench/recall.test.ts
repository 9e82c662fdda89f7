import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { readLongMemEval } from '../../bench/recall-data.ts';
import { fakeEmbeddings } from '../fake/embeddings/server.ts';
import { scratch } from '../scratch.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** In the form of the published `longmemeval_s.json`, made up. */
function longMemEval(): string {
  const turn = (role: string, content: string, has_answer?: boolean) => ({
    role,
    content,
    ...(has_answer === undefined ? {} : { has_answer }),
  });
  const ask = (question_id: string, question: string, answer_session_ids: string[]) => ({
    question_id,
    question_type: 'single-session-user',
    question,
    answer: 'made up',
    question_date: '2023/05/30 (Tue) 23:40',
    haystack_dates: ['2023/05/20 (Sat) 02:21', '2023/05/20 (Sat) 02:57', '2023/05/21 (Sun) 10:00'],
    haystack_session_ids: ['sharegpt_1', 'answer_2', 'ultrachat_3'],
    haystack_sessions: [
      [turn('user', 'Write a poem about mountains'), turn('assistant', 'Snow upon the ridge')],
      [
        turn('user', 'My automobile has a flat tyre', true),
        turn('assistant', 'Then call the garage', false),
        turn('user', ''),
      ],
      [turn('user', 'Explain the rules of chess'), turn('assistant', 'Each piece moves in its way')],
    ],
    answer_session_ids,
  });
  const file = path.join(scratch(), 'longmemeval_s.json');
  writeFileSync(
    file,
    JSON.stringify([
      ask('e47becba', 'What of the flat tyre?', ['answer_2']),
      ask('gpt4_2655b836', 'What happened to my car?', ['answer_2', 'answer_of_no_session']),
      ask('6a1eabeb_abs', 'What happened to my boat?', ['answer_2']),
    ]),
  );
  return file;
}

async function bench(...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--import', 'tsx', 'bench/index.ts', 'recall', ...args],
    { cwd: root },
  );
  return stdout;
}

it('LongMemEval is read in its published form, without the questions that have no answer', async () => {
  const { conversations, note } = await readLongMemEval(longMemEval());
  expect(conversations.flatMap(({ questions }) => questions)).toEqual([
    { question: 'What of the flat tyre?', evidence: ['answer_2'] },
    { question: 'What happened to my car?', evidence: ['answer_2'] },
  ]);
  expect(conversations[0]?.sessions[1]).toEqual({
    id: 'answer_2',
    turns: [
      { id: 'turn-0', speaker: 'user', text: 'My automobile has a flat tyre' },
      { id: 'turn-1', speaker: 'assistant', text: 'Then call the garage' },
    ],
  });
  expect(note).toContain('another file');
});

it('recall is measured by words, and with embeddings by meaning, too', async () => {
  const fake = await fakeEmbeddings();
  try {
    const printed = await bench('--longmemeval', longMemEval(), '--embeddings', fake.url, '--model', 'm');
    expect(printed).toMatch(/ours, list_sessions with query.*R@1 50\.0.*\(2 questions\)/);
    expect(printed).toMatch(/ours with meaning, list_sessions.*R@1 100\.0.*\(2 questions\)/);
  } finally {
    await fake.close();
  }
});
