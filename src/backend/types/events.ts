import type { Event, NewEvent } from '../../model/event.ts';
import type { FilterTerm } from '../../model/filter.ts';
import type { Page, PageQuery } from '../../model/page.ts';
import type { Session } from '../../model/session.ts';
import type { Guard, SessionMark, SessionRef } from './owner.ts';

export interface EventQuery extends PageQuery {
  /** Order of acceptance. Default asc. */
  order?: 'asc' | 'desc' | undefined;
  /** Only events accepted after this one. */
  afterEventId?: string | undefined;
  /** Only events whose timestamp is later than this RFC 3339 time. */
  afterTime?: string | undefined;
  includeHidden?: boolean | undefined;
  author?: string | undefined;
  /** Only events with these numbers and those between; only where the backend numbers events. */
  numbers?: { first: number; last?: number | undefined } | undefined;
}

export interface EventPage extends Page<Event> {
  /** The number of each item in its session, counted from 1 and never given again. */
  numbers?: readonly number[] | undefined;
}

/** A search of what was said in a user's sessions. */
export interface EventSearch {
  userId: string;
  /** Absent: the sessions of all apps. */
  app?: string | undefined;
  text: string;
  limit: number;
  /** Only this session, of `app`. NOT_FOUND when there is none. */
  sessionId?: string | undefined;
  author?: string | undefined;
  /** Only events with a timestamp later, or earlier, than these RFC 3339 times. */
  afterTime?: string | undefined;
  beforeTime?: string | undefined;
  /** Only sessions that match. */
  filter?: readonly FilterTerm[] | undefined;
  /** So many visible events before and after each hit come with it. */
  around: number;
}

export interface EventHit {
  session: Session;
  event: Event;
  /** Comparable within one answer only; higher is better. */
  score: number;
  /** Visible neighbours in their order. */
  before: Event[];
  after: Event[];
}

export interface EventsFound {
  /** Best first. */
  hits: EventHit[];
  /** Events that an earlier version of this program stored are still being indexed. */
  indexing: boolean;
}

export interface Appended {
  event: Event;
  session: SessionMark;
}

export interface EventVerbs {
  list?(ref: SessionRef, query: EventQuery): Promise<EventPage>;
  get?(ref: SessionRef, eventId: string): Promise<Event>;
  /** Never finds an event that is hidden, or deleted with its session or alone. */
  search?(query: EventSearch): Promise<EventsFound>;
  /** Stores one event. The same id twice is one event; the second call answers what the first stored. */
  append?(ref: SessionRef, event: NewEvent, guard?: Guard): Promise<Appended>;
  setVisibility?(ref: SessionRef, eventId: string, hidden: boolean): Promise<Event>;
  delete?(ref: SessionRef, eventId: string, guard?: Guard): Promise<void>;
}
