import type { Event } from '../../model/event.ts';
import type { Session } from '../../model/session.ts';
import { CallFailure } from '../bridge/types.ts';
import { familyOf, type Member, parentOf } from '../model/family.ts';
import type { Calls } from './calls.ts';
import { readPages } from './pages.ts';
import { argsOf, type Ref, scopeOf } from './refs.ts';

/** Sessions that are looked through for relatives. */
const mostSessions = 2000;
const mostAncestors = 20;

/** The family of a session: its ancestors by name, and whatever list_sessions shows of its descendants. */
export async function readFamily(calls: Calls, ref: Ref, session: Session): Promise<Member> {
  const found = calls.has('list_sessions')
    ? await readPages<Session>(calls, 'list_sessions', 'sessions', scopeOf(ref), mostSessions)
    : [];
  for (let i = 0, parent = parentOf(session); i < mostAncestors && parent !== undefined; i += 1) {
    const known =
      found.find(({ id }) => id === parent) ?? (await readSession(calls, { ...ref, sessionId: parent }));
    if (known === undefined) break;
    if (!found.includes(known)) found.push(known);
    parent = parentOf(known);
  }
  return familyOf(session, found);
}

/** undefined when it is not there any more. */
async function readSession(calls: Calls, ref: Ref): Promise<Session | undefined> {
  try {
    return (await calls.read<{ session: Session }>('get_session', argsOf(ref))).session;
  } catch (error) {
    if (error instanceof CallFailure && error.code === 'NOT_FOUND') return undefined;
    throw error;
  }
}

/** The visible events of a session, oldest first, at most so many. */
export const readEvents = (calls: Calls, ref: Ref, most: number): Promise<Event[]> =>
  readPages<Event>(calls, 'list_events', 'events', argsOf(ref), most);
