import type { EventPage } from '../../backend/types.ts';
import { answerBytes, shownBytes } from '../../model/budget.ts';
import type { Event } from '../../model/event.ts';
import { eventText } from '../../model/event-line.ts';
import type { JsonObject } from '../../model/json.ts';
import { maxPageSize, type PageQuery } from '../../model/page.ts';
import type { ToolContext } from './define.ts';
import { pageTokens } from './results.ts';

/** Characters of one text, call or answer: long enough that what people write is seldom cut. */
const mostCharacters = 4000;
/** Characters where one event alone is asked for. */
const mostOfOne = 16_000;
/** Events of one answer, however short they are. */
const mostEvents = 500;
/** Milliseconds between two events after which the time is told again. */
const pause = 30 * 60 * 1000;

interface TextPage {
  text: string;
  nextPageToken?: string | undefined;
}

/**
 * Events as lines of text, as many as an answer holds: `12 ann: Hello`. A number is that of the event in its session,
 * where the backend has one.
 */
export async function textPage(
  ctx: ToolContext,
  tool: string,
  args: JsonObject & { pageSize?: number | undefined; pageToken?: string | undefined },
  load: (query: PageQuery) => Promise<EventPage>,
): Promise<TextPage> {
  const { pageSize, pageToken, ...query } = args;
  const tokens = pageTokens(ctx, tool, query);
  const most = Math.min(pageSize ?? mostEvents, mostEvents);
  let cursor = pageToken === undefined ? undefined : tokens.open(pageToken);
  const lines: string[] = [];
  let bytes = 500;
  let count = 0;
  let last: number | undefined;
  for (;;) {
    const wanted = Math.min(maxPageSize, most - count);
    const page = await load({ pageSize: wanted, cursor });
    let shown = 0;
    for (const [i, event] of page.items.entries()) {
      const single = count === 0 && page.items.length === 1 && page.cursor === undefined;
      const at = Date.parse(event.timestamp);
      const added = [
        ...(lines.length === 0 ? idsLine(event, page.numbers?.[i]) : []),
        ...(last === undefined || Math.abs(at - last) > pause ? [`[${minuteOf(event.timestamp)}]`] : []),
        lineOf(event, page.numbers?.[i], single ? mostOfOne : mostCharacters),
      ];
      const size = shownBytes(added.join('\n'));
      if (count > 0 && bytes + size > answerBytes) break;
      bytes += size;
      lines.push(...added);
      last = at;
      count += 1;
      shown += 1;
    }
    if (shown < page.items.length) {
      // Only the backend can say where a shorter page ends, so it is asked for one.
      if (shown > 0) ({ cursor } = await load({ pageSize: shown, cursor }));
      break;
    }
    ({ cursor } = page);
    if (cursor === undefined || count >= most) break;
  }
  return { text: lines.join('\n'), nextPageToken: cursor === undefined ? undefined : tokens.seal(cursor) };
}

const minuteOf = (timestamp: string): string => `${timestamp.slice(0, 10)} ${timestamp.slice(11, 16)}Z`;

const lineOf = (event: Event, number: number | undefined, most: number): string =>
  `${number === undefined ? '' : `${number} `}${event.author}${event.hidden === true ? ' (hidden)' : ''}: ${eventText(event, { most, rest: `get_event ${event.id} has all` })}`;

/** How an id follows from a number, where it does: a line for all events of the page. */
function idsLine({ id }: Event, number: number | undefined): string[] {
  const [, tag] = number === undefined ? [] : (new RegExp(`^e${number}-(\\d{9})$`).exec(id) ?? []);
  return tag === undefined ? [] : [`Event ids: e<number>-${tag}`];
}
