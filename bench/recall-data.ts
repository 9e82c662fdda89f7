import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';

export interface Turn {
  id: string;
  speaker: string;
  text: string;
}

/** Sessions of turns, and questions with the ids of what holds the answer: turns, or sessions. */
export interface Conversation {
  sessions: { id: string; turns: Turn[] }[];
  questions: { question: string; evidence: string[] }[];
}

interface Data {
  conversations: Conversation[];
  /** So many of the first were used for tuning. */
  tuned: number;
  /** Said where the file is another than the one that published figures are for. */
  note?: string | undefined;
}

interface LocomoTurn {
  speaker: string;
  dia_id: string;
  text: string;
  blip_caption?: string;
}

interface LocomoConversation {
  conversation: Record<string, unknown>;
  qa: { question: string; evidence?: string[]; category: number }[];
}

interface LongMemEvalQuestion {
  question_id: string;
  question: string;
  answer_session_ids: string[];
  haystack_session_ids: string[];
  haystack_sessions: { role: string; content: string }[][];
}

/** Questions of categories 1 to 4: those of the fifth have no answer. */
const answerable = 4;

export async function readLocomo(file: string): Promise<Data> {
  const { value, note } = await readJson<LocomoConversation[]>(file, '79fa87e9');
  return {
    tuned: Math.min(3, value.length),
    note,
    conversations: value.map(({ conversation, qa }) => {
      const sessions: Conversation['sessions'] = [];
      for (let i = 1; Array.isArray(conversation[`session_${i}`]); i += 1)
        sessions.push({
          id: `session_${i}`,
          turns: (conversation[`session_${i}`] as LocomoTurn[]).map((turn) => ({
            id: turn.dia_id,
            speaker: turn.speaker,
            // What a picture shows, as the data describes it.
            text: turn.blip_caption === undefined ? turn.text : `${turn.text} ${turn.blip_caption}`,
          })),
        });
      const known = new Set(sessions.flatMap(({ turns }) => turns.map(({ id }) => id)));
      return {
        sessions,
        questions: qa
          .filter(({ category }) => category <= answerable)
          .map(({ question, evidence = [] }) => ({
            question,
            // Some ids are written together, some name no turn.
            evidence: evidence.flatMap((ids) => ids.split(/[;,\s]+/)).filter((id) => known.has(id)),
          }))
          .filter(({ evidence }) => evidence.length > 0),
      };
    }),
  };
}

export async function readLongMemEval(file: string): Promise<Data> {
  const { value, note } = await readJson<LongMemEvalQuestion[]>(file, 'd6f21ea9');
  return {
    tuned: 0,
    note,
    conversations: value
      // These ask what was never said; the published figures leave them out, too.
      .filter(({ question_id: id }) => !id.endsWith('_abs'))
      .map((one) => {
        const sessions = new Map(
          one.haystack_session_ids.map((id, i) => [id, one.haystack_sessions[i] ?? []]),
        );
        return {
          sessions: Array.from(sessions, ([id, turns]) => ({
            id,
            turns: turns
              .map(({ role, content }, i) => ({ id: `turn-${i}`, speaker: role, text: content }))
              .filter(({ text }) => text.trim() !== ''),
          })),
          questions: [
            { question: one.question, evidence: one.answer_session_ids.filter((id) => sessions.has(id)) },
          ].filter(({ evidence }) => evidence.length > 0),
        };
      }),
  };
}

async function readJson<T>(file: string, digest: string): Promise<{ value: T; note?: string }> {
  const bytes = await readFile(file);
  const found = createHash('sha256').update(bytes).digest('hex').slice(0, digest.length);
  return {
    value: JSON.parse(bytes.toString()) as T,
    ...(found === digest
      ? {}
      : { note: `${file} is another file than the published one (sha256 ${found}…, not ${digest}…)` }),
  };
}
