import { cutText, fitTo } from '../model/budget.ts';
import type { Content, Event, Part } from '../model/event.ts';
import { playable } from './media.ts';

/** Events that are read at most to find what a turn needs. */
const maxRead = 2000;
const leftOut = 'left out';
/** Characters that an output may have, from generous to scant, until the turn fits. */
const outputLengths = [16_000, 4000, 1000, 250] as const;

/** An estimate: models cut text in their own ways, about four bytes to a token; files have a flat price. */
function tokensOf(events: readonly Event[]): number {
  return events
    .flatMap((event) => event.content?.parts ?? [])
    .reduce((sum, part) => sum + tokensOfPart(part), 4 * events.length);
}

function tokensOfPart(part: Part): number {
  const { inlineData, ...rest } = part;
  const file = inlineData && playable(inlineData);
  if (file?.kind === 'file') return 1000;
  return Math.ceil(Buffer.byteLength(file?.text ?? JSON.stringify(rest)) / 4);
}

/** What an agent is shown of a session, oldest first. */
export interface History {
  earlier: Event[];
  /** The turn that is to be answered: its question and all that came after it. */
  current: Event[];
}

/**
 * The latest turns that fit a token budget. A turn is a question and all that follows it until the next. The
 * current one is always whole, and so is each that made a call which a kept turn answers, or answers one that
 * a kept turn made; only long outputs of tools are shortened in them, with a mark. Other turns are kept whole
 * or not at all, without a gap between them.
 */
export async function recentTurns(
  history: AsyncIterable<Event>,
  agentName: string,
  budget: number,
): Promise<History> {
  const turns = await readTurns(history, agentName, budget);
  const current = turns.length - 1;
  const needed = neededTurns(turns, current);
  const kept = new Map<number, Event[]>();
  const whole = [...needed].sort((a, b) => a - b);
  const fitted = shortened(
    whole.flatMap((index) => turns[index] ?? []),
    budget,
  );
  let at = 0;
  for (const index of whole) {
    const { length } = turns[index] ?? [];
    kept.set(index, fitted.slice(at, at + length));
    at += length;
  }
  let room = budget - tokensOf(fitted);
  for (let index = current - 1; index >= 0; index -= 1) {
    const turn = turns[index] ?? [];
    // What begins with the agent's own words is the end of a turn whose question is not there.
    if (needed.has(index) || !isQuestion(turn[0], agentName)) continue;
    room -= tokensOf(turn);
    if (room < 0) break;
    kept.set(index, turn);
  }
  const earlier = [...kept.keys()].filter((index) => index !== current).sort((a, b) => a - b);
  return { earlier: earlier.flatMap((index) => kept.get(index) ?? []), current: kept.get(current) ?? [] };
}

/** Reads turns, latest first, until the budget is spent and every call is found; answers them oldest first. */
async function readTurns(
  history: AsyncIterable<Event>,
  agentName: string,
  budget: number,
): Promise<Event[][]> {
  const turns: Event[][] = [];
  let turn: Event[] = [];
  const wanted = new Set<string>();
  let tokens = 0;
  let read = 0;
  for await (const event of history) {
    read += 1;
    if (read > maxRead) break;
    if (event.content === undefined || event.partial === true) continue;
    turn.unshift(event);
    if (tokens <= budget) for (const id of answersOf(event)) wanted.add(id);
    for (const id of callsOf(event)) wanted.delete(id);
    tokens += tokensOf([event]);
    if (!isQuestion(event, agentName)) continue;
    turns.unshift(turn);
    turn = [];
    if (tokens > budget && wanted.size === 0) break;
  }
  return turn.length > 0 ? [turn, ...turns] : turns;
}

function neededTurns(turns: readonly Event[][], current: number): Set<number> {
  const needed = new Set([current]);
  const ids = new Set<string>();
  for (let before = -1; before < needed.size; ) {
    before = needed.size;
    for (const index of needed)
      for (const event of turns[index] ?? [])
        for (const id of [...callsOf(event), ...answersOf(event)]) ids.add(id);
    for (const [index, turn] of turns.entries())
      if (turn.some((event) => [...callsOf(event), ...answersOf(event)].some((id) => ids.has(id))))
        needed.add(index);
    if (needed.size === before) break;
  }
  return needed;
}

function shortened(events: Event[], budget: number): Event[] {
  let fitted = events;
  for (const length of outputLengths) {
    if (tokensOf(fitted) <= budget) break;
    fitted = events.map((event) => withShortOutputs(event, length));
  }
  return fitted;
}

function withShortOutputs(event: Event, length: number): Event {
  const { content } = event;
  if (!content?.parts.some((part) => part.functionResponse !== undefined)) return event;
  return { ...event, content: { ...content, parts: content.parts.map((part) => shortOutput(part, length)) } };
}

function shortOutput(part: Part, length: number): Part {
  const { functionResponse: answer } = part;
  if (answer?.response === undefined) return part;
  const { value } = fitTo(answer.response, length, leftOut);
  const text = JSON.stringify(value);
  // fitTo keeps the names of an object's members, so it cannot shorten an object of many small members.
  const response = text.length <= length * 2 ? value : { shortened: cutText(text, length, leftOut) };
  return { ...part, functionResponse: { ...answer, response } };
}

/** Whether an event is something to answer, and not an answer to a call of this agent's. */
function isQuestion(event: Event | undefined, agentName: string): boolean {
  if (event === undefined || event.author === agentName) return false;
  return (event.content?.parts ?? []).some(
    (part) => part.functionResponse === undefined && part.thought !== true && part.text !== '',
  );
}

const idsOf = (content: Content | undefined, kind: 'functionCall' | 'functionResponse'): string[] =>
  (content?.parts ?? []).flatMap((part) => part[kind]?.id ?? []);
const callsOf = (event: Event): string[] => idsOf(event.content, 'functionCall');
const answersOf = (event: Event): string[] => idsOf(event.content, 'functionResponse');
