import { type Signal, signal } from '@preact/signals';
import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import type { AppBridge } from '../bridge/app.ts';
import type { Calls } from '../live/calls.ts';
import type { OpenSession } from '../live/open-session.ts';
import type { Ref } from '../live/refs.ts';
import type { SessionList } from '../live/session-list.ts';
import type { TimeFormat } from '../model/time.ts';

export const viewNames = ['conversation', 'time', 'state', 'files', 'family'] as const;
export type ViewName = (typeof viewNames)[number];

/** Something that the person must answer before it is done. */
export interface Question {
  title: string;
  /** What is done, and what is lost by it. */
  text: string;
  /** Shown apart, in full, such as the address of a link. */
  detail?: string | undefined;
  /** Says what is done: `Delete`. */
  yes: string;
  destroys?: boolean;
  /** A text that the person gives along. */
  field?: { label: string; value: string };
  run(text: string): Promise<void> | void;
}

/** What all views share. */
export interface PageState {
  calls: Calls;
  list: SessionList;
  opened: Signal<OpenSession | undefined>;
  view: Signal<ViewName>;
  /** The event to bring into sight. */
  target: Signal<{ key: string } | undefined>;
  question: Signal<Question | undefined>;
  /** What was done last, or why it was not; told to those who hear the page, too. */
  notice: Signal<{ text: string; isBad: boolean } | undefined>;
  where: Signal<TimeFormat>;
  now: Signal<number>;
  /** How large a host shows the page. */
  displayMode: Signal<string | undefined>;
  /** Present inside a host. */
  host: AppBridge | undefined;
  open(ref: Ref | undefined, view?: ViewName): void;
  /** Does something and tells how it went: what to say when it is done, or undefined for nothing. */
  attempt(work: () => Promise<string | undefined>): Promise<void>;
  signIn(token: string): Promise<void>;
}

export const PageContext = createContext<PageState | undefined>(undefined);

export function usePage(): PageState {
  const page = useContext(PageContext);
  if (page === undefined) throw new Error('A view stands outside the page.');
  return page;
}

export const nowEvery = (ms: number): Signal<number> => {
  const now = signal(Date.now());
  setInterval(() => {
    now.value = Date.now();
  }, ms);
  return now;
};
