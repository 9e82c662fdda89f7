import { invalidArgument, SessionError } from '../../errors.ts';
import type { JsonObject } from '../../model/json.ts';
import { numberField, textField } from './wire.ts';

/**
 * The fields of a Vectara session other than name and metadata, as labels of the session: Vectara has no labels of its own,
 * and tools take no field that one service alone knows. A description may be given as a label too; it is shown as a
 * field, since no other backend could take its text as a label when the session is copied.
 */
type Labels = Record<string, string>;

/** Longest time to idle that is taken: a year. */
const mostMinutes = 525_600;

export function labelsOf(wire: JsonObject): Labels | undefined {
  const minutes = numberField(wire, 'tti_minutes');
  const shown = {
    status: textField(wire, 'status'),
    enabled: typeof wire.enabled === 'boolean' ? String(wire.enabled) : undefined,
    tti_minutes: minutes === undefined ? undefined : String(minutes),
  };
  const labels = Object.fromEntries(
    Object.entries(shown).flatMap(([key, value]) => (value === undefined ? [] : [[key, value] as const])),
  );
  return Object.keys(labels).length === 0 ? undefined : labels;
}

/**
 * The fields of a request that labels stand for.
 * @param before the labels of the session as it is: one that comes back unchanged is nothing to set
 * @throws SessionError UNIMPLEMENTED for other labels, INVALID_ARGUMENT for values that cannot be
 */
export function fieldsOf(labels: Labels | undefined, before: Labels = {}): JsonObject {
  const fields: JsonObject = {};
  for (const [key, value] of Object.entries(labels ?? {})) {
    if (before[key] === value) continue;
    if (key === 'description') fields.description = value;
    else if (key === 'enabled' && /^(true|false)$/.test(value)) fields.enabled = value === 'true';
    else if (key === 'tti_minutes' && /^\d{1,6}$/.test(value) && Number(value) <= mostMinutes)
      fields.tti_minutes = Number(value);
    else throw notSettable(key);
  }
  return fields;
}

function notSettable(key: string): SessionError {
  const takes =
    'description, enabled ("true" or "false") and tti_minutes (whole minutes of inactivity until Vectara deletes the session, 0 for never)';
  if (key === 'status')
    return invalidArgument(
      'Only Vectara sets the label status.',
      'Leave that label out, or give the value that get_session shows.',
    );
  if (key === 'enabled' || key === 'tti_minutes')
    return invalidArgument(
      `The label ${key} has a value that Vectara does not accept.`,
      `Vectara accepts ${takes}.`,
    );
  return new SessionError('UNIMPLEMENTED', 'The vectara backend does not keep labels of your own.', {
    hint: `Keep them in the state. The labels that can be set are ${takes}.`,
  });
}

/** @throws SessionError UNIMPLEMENTED for a label that no session here has */
export function checkLabelFilter(key: string): void {
  if (!['status', 'enabled', 'tti_minutes'].includes(key)) throw notSettable(key);
}
