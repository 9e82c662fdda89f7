import type { Event } from '../../model/event.ts';
import { cutEnd, preview } from '../../model/text.ts';
import { plainName } from './text.ts';

/** An event in one line. */
export function summaryOf(event: Event, length = 160): string {
  const said = (event.content?.parts ?? []).flatMap(({ text, thought, functionCall, functionResponse }) => [
    ...(text === undefined || thought === true ? [] : [text]),
    ...(functionCall === undefined ? [] : [`calls ${functionCall.name}`]),
    ...(functionResponse === undefined ? [] : [`${functionResponse.name} answers`]),
  ]);
  const delta = Object.keys(event.actions?.stateDelta ?? {});
  const parts = [
    ...said,
    ...(event.errorMessage === undefined ? [] : [`error: ${event.errorMessage}`]),
    ...(delta.length === 0 ? [] : [`sets ${delta.join(', ')}`]),
  ].filter((part) => part !== '');
  const text = plainName(cutEnd(parts.join('; '), 4 * length))
    .replace(/\s+/g, ' ')
    .trim();
  return preview(text, length - 1) || '(nothing to read)';
}
