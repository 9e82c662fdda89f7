import { invalidArgument, SessionError } from '../../errors.ts';
import type { JsonObject } from '../../model/json.ts';
import { numberField, textField } from './wire.ts';

/**
 * The labels of a Vectara session are the service's own fields other than name and metadata: Vectara has no labels,
 * and tools have no arguments for the fields of a single service. A description can be set as a label, but is
 * shown as a field: other backends would refuse its text as a label when the session is copied there.
 */
type Labels = Record<string, string>;

/** Longest idle time that is accepted: a year. */
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
 * Turns labels into the fields of a request.
 * @param before the session's present labels: a label with its present value sets nothing
 * @throws SessionError UNIMPLEMENTED for other labels, INVALID_ARGUMENT for values that Vectara does not accept
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

/** @throws SessionError UNIMPLEMENTED for a label that sessions at Vectara cannot have */
export function checkLabelFilter(key: string): void {
  if (!['status', 'enabled', 'tti_minutes'].includes(key)) throw notSettable(key);
}
