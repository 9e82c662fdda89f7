import * as z from 'zod';
import type { EventQuery } from '../../backend/types.ts';
import { invalidArgument, SessionError } from '../../errors.ts';
import type { ToolContext } from './define.ts';

export const range = () => z.string().max(32).optional().describe('Numbers of events: "12-40"');

/** @throws SessionError INVALID_ARGUMENT, or UNIMPLEMENTED where events have no numbers */
export function rangeOf(text: string, ctx: ToolContext): NonNullable<EventQuery['numbers']> {
  if (ctx.backend.numbersEvents !== true)
    throw new SessionError('UNIMPLEMENTED', `The ${ctx.backend.name} backend does not number events.`, {
      hint: 'Use afterEventId or afterTime instead of range.',
    });
  const [, first, dash, last] = /^\s*(\d{1,12})\s*(-?)\s*(\d{0,12})\s*$/.exec(text) ?? [];
  if (first === undefined || (dash === '' && last !== ''))
    throw invalidArgument(
      'range is not a range of event numbers.',
      'Write it as "12-40", "12-" for all from there on, or "12" for one; list_events with view "text" shows the numbers.',
    );
  const from = Math.max(1, Number(first));
  const to = Number(dash === '' ? first : last);
  if (dash !== '' && last === '') return { first: from };
  if (to < from)
    throw invalidArgument(
      'range ends before it begins.',
      'Give the lower number first; the first event has the number 1.',
    );
  return { first: from, last: to };
}
