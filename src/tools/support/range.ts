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
  if (dash === '') return { first: Number(first), last: Number(first) };
  return { first: Math.max(1, Number(first)), ...(last === '' ? {} : { last: Number(last) }) };
}
