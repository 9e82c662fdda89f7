import { invalidArgument, quote } from '../errors.ts';

/** Arrays and objects within one another, in one argument of a call. */
const maxNesting = 100;

/** What is wrong, where, and what to do. */
export interface IncomingFault {
  /** Quoted, of the form `state.list[2].key`. */
  path: string;
  /** A clause: "holds broken Unicode". */
  what: string;
  hint: string;
}

/** A container on the way to a value; the path is only put together for a refusal. */
interface Frame {
  value: object;
  key: string | number;
  parent: Frame | undefined;
  depth: number;
}

/**
 * What keeps a value that somebody sent from being stored, searched and shown again as it is: broken Unicode,
 * numbers that JSON cannot hold, more than `nesting` containers within one another below each member, and
 * keys `__proto__`, which many JSON libraries drop, or take for the prototype.
 */
export function incomingFault(value: unknown, nesting = maxNesting): IncomingFault | undefined {
  // A list of work in place of recursion: the depth is what is to be checked.
  const work: Frame[] = [{ value: { '': value }, key: '', parent: undefined, depth: -2 }];
  for (let frame = work.pop(); frame !== undefined; frame = work.pop()) {
    if (frame.depth >= nesting)
      return faultAt(frame, undefined, [
        `is nested more than ${nesting} deep`,
        'Nest it less deeply, or send it as a string of JSON.',
      ]);
    const { value: container } = frame;
    const keys = Array.isArray(container) ? undefined : Object.keys(container);
    const count = keys?.length ?? (container as unknown[]).length;
    // By index: millions of members must not become millions of pairs.
    for (let i = 0; i < count; i += 1) {
      const key = keys?.[i] ?? i;
      const member = (container as Record<string | number, unknown>)[key];
      if (typeof member === 'object' && member !== null)
        work.push({ value: member, key, parent: frame, depth: frame.depth + 1 });
      const words = keyFault(key) ?? scalarFault(member);
      if (words !== undefined) return faultAt(frame, key, words);
    }
  }
  return undefined;
}

/** @throws SessionError INVALID_ARGUMENT with the path of the fault in the arguments of a call */
export function checkIncoming(args: unknown): void {
  const fault = incomingFault(args);
  if (fault !== undefined) throw invalidArgument(`${fault.path} ${fault.what}.`, fault.hint);
}

type Words = readonly [what: string, hint: string];

const wholeCharacters = 'Send whole characters; a text was probably cut in the middle of one.';

function keyFault(key: string | number): Words | undefined {
  if (key === '__proto__') return ['is a reserved key', 'Use another key.'];
  return typeof key === 'string' && !key.isWellFormed()
    ? ['is broken Unicode: half of a character', wholeCharacters]
    : undefined;
}

function scalarFault(value: unknown): Words | undefined {
  if (typeof value === 'string' && !value.isWellFormed())
    return ['holds broken Unicode: half of a character', wholeCharacters];
  return typeof value === 'number' && !Number.isFinite(value)
    ? ['is a number that is too large to store', 'Send it as a string.']
    : undefined;
}

/** How many parts of a long path are shown, of its beginning and of its end. */
const [firstParts, lastParts] = [8, 4];

function faultAt(frame: Frame, key: string | number | undefined, [what, hint]: Words): IncomingFault {
  const keys: (string | number)[] = key === undefined ? [] : [key];
  for (let at: Frame | undefined = frame; at !== undefined; at = at.parent) keys.unshift(at.key);
  const shown =
    keys.length <= firstParts + lastParts
      ? keys
      : [...keys.slice(0, firstParts), '…', ...keys.slice(-lastParts)];
  const path = shown
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${part.toWellFormed()}`))
    .join('')
    .replace(/^\.+/, '');
  return { path: path === '' ? 'The value' : quote(path), what, hint };
}
