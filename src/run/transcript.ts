import { fitTo } from '../model/budget.ts';
import { type Event, textOf } from '../model/event.ts';
import { cutEnd, withoutHalf } from '../model/text.ts';

/** What is kept of a run in memory: enough for an answer, however long the run. */
const maxEvents = 200;
const eventBytes = 3000;
const maxTextLength = 100_000;

/**
 * What an agent has said and done in a run, within bounds. It has no accessors: what those of an object made for a run
 * refer to outlives the run until a full collection.
 */
export interface Transcript {
  /** Takes the next event and returns the text in it that is new. */
  take(event: Event): string;
  events(): Event[];
  text(): string;
  truncated(): boolean;
  /** Whole events so far. */
  count(): number;
  /** What was said since the last whole event. */
  unfinished(): string;
  /** The author of the last event. */
  author(): string | undefined;
}

export function transcript(): Transcript {
  const events: Event[] = [];
  let text = '';
  /** By author: agents that work side by side speak in pieces that come mixed. */
  const unfinished = new Map<string, string>();
  let speaker: string | undefined;
  let count = 0;
  let truncated = false;
  let author: string | undefined;

  function add(words: string): void {
    if (words === '') return;
    const room = maxTextLength - text.length;
    if (words.length > room) truncated = true;
    text += (text === '' ? '' : '\n') + cutEnd(words, Math.max(0, room));
  }

  /** Words for those who watch, with the name of who says them where that changes. */
  function spoken(by: string, words: string): string {
    if (words === '') return '';
    const changed = speaker !== undefined && speaker !== by;
    speaker = by;
    return changed ? `\n${by}: ${words}` : words;
  }

  /** What is unfinished; with names where several speak. */
  function said(): string {
    const [[, only = ''] = [], ...others] = unfinished;
    if (others.length === 0) return only;
    return Array.from(unfinished, ([by, words]) => `${by}: ${words}`).join('\n');
  }

  return {
    take(event) {
      const words = textOf(event);
      author = event.author;
      if (event.partial === true) {
        const before = unfinished.get(event.author) ?? '';
        unfinished.set(event.author, cutEnd(before + words, maxTextLength));
        return spoken(event.author, words);
      }
      const heard = unfinished.delete(event.author);
      // Some services repeat the message that they were sent.
      if (event.author === 'user') return '';
      count += 1;
      const fitted = fitTo(event, eventBytes, 'get_event has all');
      events.push(fitted.value);
      truncated ||= fitted.truncated || events.length > maxEvents;
      if (events.length > maxEvents) events.shift();
      add(words);
      return heard ? '' : spoken(event.author, words);
    },
    events() {
      return [...events];
    },
    text() {
      return [text, said()].filter((part) => part !== '').join('\n');
    },
    truncated() {
      return truncated;
    },
    count() {
      return count;
    },
    unfinished() {
      return withoutHalf(said()).toWellFormed();
    },
    author() {
      return author;
    },
  };
}
