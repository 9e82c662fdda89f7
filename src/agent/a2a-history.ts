import { type Content, type Event, type Part, textOf } from '../model/event.ts';
import { cutStart } from '../model/text.ts';

/** Events that are read at most to find what the agent has not heard, and characters of them that it gets. */
const maxRead = 500;
const maxLength = 100_000;

/** What a remote agent has not heard of a session, and the id of the event up to which it has when it gets that. */
export interface Unheard {
  parts: Part[];
  upTo: string | undefined;
}

/**
 * The message to answer, after what others said since the agent was last told something. Earlier files and tool
 * outputs are only named: an agent that refuses them must not refuse all that comes later.
 */
export async function unheardParts(
  history: AsyncIterable<Event>,
  message: Content,
  agent: { name: string; heard: string | undefined },
): Promise<Unheard> {
  const { events, upTo } = await unheardEvents(history, agent);
  // The message to answer is the latest one that somebody else wrote.
  const earlier = events.slice(
    0,
    events.findLastIndex((event) => event.author !== agent.name),
  );
  const said = earlier.map(toldEvent).filter((text) => text !== '');
  const text = said.join('\n\n');
  const shown = cutStart(text, maxLength);
  return {
    parts: [
      ...(shown.length < text.length ? [{ text: '[Earlier words are left out.]' }] : []),
      ...(shown === '' ? [] : [{ text: shown }]),
      ...message.parts,
    ],
    upTo,
  };
}

/**
 * Oldest first. An agent that has heard something knows its own words; and where the event up to which it has
 * heard is not there any more, it has heard what came before the latest of them.
 */
async function unheardEvents(
  history: AsyncIterable<Event>,
  { name, heard }: { name: string; heard: string | undefined },
): Promise<{ events: Event[]; upTo: string | undefined }> {
  const events: Event[] = [];
  let upTo: string | undefined;
  let afterOwn: number | undefined;
  let read = 0;
  let found = false;
  for await (const event of history) {
    upTo ??= event.id;
    read += 1;
    found = event.id === heard;
    if (found || read > maxRead) break;
    if (event.content === undefined || event.partial === true) continue;
    if (heard !== undefined && event.author === name) afterOwn ??= events.length;
    else events.unshift(event);
  }
  if (heard === undefined || found || afterOwn === undefined) return { events, upTo };
  return { events: events.slice(events.length - afterOwn), upTo };
}

/** An earlier event in words, with the name of who said it. */
function toldEvent(event: Event): string {
  const named = (event.content?.parts ?? []).flatMap((part) => namedPart(part));
  const text = [textOf(event), ...named].filter((line) => line !== '').join('\n');
  return text === '' ? '' : `${event.author} said: ${text}`;
}

function namedPart(part: Part): string[] {
  if (part.inlineData !== undefined) return [`[a file of the type ${part.inlineData.mimeType}]`];
  if (part.fileData !== undefined) return [`[a file at ${part.fileData.fileUri}]`];
  const { functionCall: call, functionResponse: answer } = part;
  if (call !== undefined) return [`[calls ${call.name}(${JSON.stringify(call.args ?? {})})]`];
  if (answer !== undefined) return [`[${answer.name} answered ${JSON.stringify(answer.response ?? {})}]`];
  return [];
}
