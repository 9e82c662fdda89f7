import { invalidArgument, quote, type SessionError } from '../errors.ts';

/** Arrays and objects within one another, in one argument of a call. */
export const maxNesting = 100;

/** A container on the way to a value; the path is only put together for a refusal. */
interface Frame {
  value: object;
  key: string | number;
  parent: Frame | undefined;
  depth: number;
}

/**
 * Checks what a caller sends before anything is done with it, so that all of it can be stored, searched and
 * shown again as it is: well-formed Unicode, finite numbers, at most `nesting` containers within one another
 * below each member, and no key `__proto__`, which half of the world's JSON libraries drop or obey. `root`
 * is the path of the value itself.
 * @throws SessionError INVALID_ARGUMENT with the path of the fault
 */
export function checkIncoming(value: unknown, { root = '', nesting = maxNesting } = {}): void {
  const top: Frame = { value: [], key: root, parent: undefined, depth: 0 };
  if (typeof value !== 'object' || value === null) checkScalar(value, top, undefined);
  // A list of work in place of recursion: the depth is what is to be checked.
  const work: Frame[] = typeof value === 'object' && value !== null ? [{ ...top, value }] : [];
  for (let frame = work.pop(); frame !== undefined; frame = work.pop()) {
    if (frame.depth > nesting)
      throw refuse(
        frame,
        undefined,
        `is nested more than ${nesting} deep`,
        'Store it flatter, or as a text that holds JSON.',
      );
    const members: [string | number, unknown][] = Array.isArray(frame.value)
      ? frame.value.map((member, i): [number, unknown] => [i, member])
      : Object.entries(frame.value);
    for (const [key, member] of members) {
      if (typeof key === 'string') checkKey(key, frame);
      if (typeof member === 'object' && member !== null)
        work.push({ value: member, key, parent: frame, depth: frame.depth + 1 });
      else checkScalar(member, frame, key);
    }
  }
}

function checkKey(key: string, frame: Frame): void {
  if (key === '__proto__')
    throw refuse(frame, key, 'is a key that programs drop or obey', 'Use another key.');
  if (!key.isWellFormed()) throw refuse(frame, key, 'is broken Unicode: half of a character', brokenHint);
}

const brokenHint = 'Send whole characters; a text was probably cut in the middle of one.';

function checkScalar(value: unknown, frame: Frame, key: string | number | undefined): void {
  if (typeof value === 'string' && !value.isWellFormed())
    throw refuse(frame, key, 'holds broken Unicode: half of a character', brokenHint);
  if (typeof value === 'number' && !Number.isFinite(value))
    throw refuse(frame, key, 'is a number too large to be kept', 'Send it as a text.');
}

/** Longest path that a refusal shows from either end. */
const pathEnds = 4;

function refuse(frame: Frame, key: string | number | undefined, what: string, hint: string): SessionError {
  const keys: (string | number)[] = key === undefined ? [] : [key];
  for (let at: Frame | undefined = frame; at !== undefined; at = at.parent) keys.unshift(at.key);
  const shown =
    keys.length <= 3 * pathEnds ? keys : [...keys.slice(0, 2 * pathEnds), '…', ...keys.slice(-pathEnds)];
  const path = shown
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${part.toWellFormed()}`))
    .join('')
    .replace(/^\.+/, '');
  return invalidArgument(`${path === '' ? 'The value' : quote(path)} ${what}.`, hint);
}
