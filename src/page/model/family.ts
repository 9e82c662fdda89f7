import type { Event } from '../../model/event.ts';
import type { Session } from '../../model/session.ts';

/** A session with those that were copied or split off from it. */
export interface Member {
  session: Session;
  children: Member[];
}

/** The session that one was copied, or split off, from. */
export const parentOf = ({ forkedFrom, parentSessionId }: Session): string | undefined =>
  forkedFrom?.sessionId ?? parentSessionId;

/** The tree that a session stands in, from the eldest that is there. Its members are of one app and user. */
export function familyOf(session: Session, all: readonly Session[]): Member {
  const byId = new Map([session, ...all].map((one) => [one.id, one]));
  const children = new Map<string, Session[]>();
  for (const one of byId.values()) {
    const parent = parentOf(one);
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), one]);
  }
  let eldest = session;
  const passed = new Set([session.id]);
  for (;;) {
    const parent = byId.get(parentOf(eldest) ?? '');
    // Ids can be used again, so that a copy may seem to be its own ancestor.
    if (parent === undefined || passed.has(parent.id)) break;
    passed.add(parent.id);
    eldest = parent;
  }
  const seen = new Set<string>();
  const memberOf = (one: Session): Member => {
    seen.add(one.id);
    const own = (children.get(one.id) ?? []).filter(({ id }) => !seen.has(id));
    own.sort((a, b) => (a.createTime < b.createTime ? -1 : 1));
    return { session: one, children: own.map(memberOf) };
  };
  return memberOf(eldest);
}

export const membersOf = (member: Member): Session[] => [
  member.session,
  ...member.children.flatMap(membersOf),
];

/** Two sessions side by side: how many events they begin with in common, and what each has after that. */
export interface Comparison {
  common: number;
  left: readonly Event[];
  right: readonly Event[];
}

export function compare(left: readonly Event[], right: readonly Event[]): Comparison {
  let common = 0;
  for (; common < left.length && common < right.length; common += 1)
    if (!isSame(left[common], right[common])) break;
  return { common, left: left.slice(common), right: right.slice(common) };
}

/** A copy keeps the ids of its events; where a backend gives new ones, what was said tells. */
function isSame(a: Event | undefined, b: Event | undefined): boolean {
  if (a === undefined || b === undefined) return false;
  return (
    a.id === b.id || (a.author === b.author && a.timestamp === b.timestamp && sayingOf(a) === sayingOf(b))
  );
}

const sayingOf = ({ content, actions }: Event): string => JSON.stringify([content, actions?.stateDelta]);
