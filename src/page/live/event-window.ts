import { signal } from '@preact/signals';
import type { Event } from '../../model/event.ts';

interface EventPage {
  events: Event[];
  nextPageToken?: string;
}

/** Reads a page of a session's events by further arguments of list_events. */
type ListEvents = (more: Record<string, unknown>) => Promise<EventPage>;

/** Pages of earlier events that are read before they are shown, so that the view is not made anew for each. */
const batch = 5;

/**
 * The events of a session that have been read: in order and without gaps up to the latest. A new reading forgets
 * what earlier ones still bring.
 */
export function openEventWindow(listEvents: ListEvents) {
  const events = signal<readonly Event[]>([]);
  /** Whether the first event of the session is among them. */
  const complete = signal(false);
  let earlier: string | undefined;
  let reading = 0;
  let underWay: Promise<void> | undefined;

  /** Reads the latest page and forgets all others. */
  async function readAnew(): Promise<void> {
    reading += 1;
    underWay = undefined;
    const mine = reading;
    const page = await listEvents({ order: 'desc' });
    if (mine !== reading) return;
    events.value = page.events.toReversed();
    earlier = page.nextPageToken;
    complete.value = earlier === undefined;
  }

  /** Takes over what has changed in the latest page: events hidden, shown or deleted. Resolves to whether any was. */
  async function lookAgain(): Promise<boolean> {
    const mine = reading;
    const last = events.value.at(-1)?.id;
    const page = await listEvents({ order: 'desc' });
    if (mine !== reading || last !== events.value.at(-1)?.id) return true;
    const latest = page.events.toReversed();
    const first = latest[0]?.id;
    const at = page.nextPageToken === undefined ? 0 : events.value.findIndex(({ id }) => id === first);
    const known = new Map(events.value.slice(Math.max(0, at)).map((event) => [event.id, event]));
    const isSame = (event: Event) => known.get(event.id)?.hidden === event.hidden;
    if (
      at >= 0 &&
      latest.length === known.size &&
      latest.every((event) => known.has(event.id) && isSame(event))
    )
      return false;
    // What has been read whole is not cut again.
    const kept = (event: Event) => (isSame(event) ? (known.get(event.id) ?? event) : event);
    if (at < 0) await readAnew();
    else events.value = [...events.value.slice(0, at), ...latest.map(kept)];
    return true;
  }

  async function prepend(pages: number): Promise<void> {
    const mine = reading;
    const found: Event[][] = [];
    for (let i = 0; i < pages && earlier !== undefined; i += 1) {
      const page = await listEvents({ order: 'desc', pageToken: earlier });
      if (mine !== reading) return;
      earlier = page.nextPageToken;
      found.unshift(page.events.toReversed());
    }
    events.value = [...found.flat(), ...events.value];
    complete.value = earlier === undefined;
  }

  /** One at a time: two that read the same page would show it twice. */
  function loadEarlier(pages = 1): Promise<void> {
    underWay ??= prepend(pages).finally(() => {
      underWay = undefined;
    });
    return underWay;
  }

  return {
    events,
    complete,
    readAnew,
    lookAgain,
    loadEarlier,
    async loadAll(): Promise<void> {
      const mine = reading;
      while (!complete.value && mine === reading) await loadEarlier(batch);
    },
    /** Adds what has come since. */
    append(fresh: readonly Event[]): void {
      const known = new Set(events.value.slice(-4 * fresh.length - 100).map(({ id }) => id));
      const added = fresh.filter(({ id }) => !known.has(id));
      if (added.length > 0) events.value = [...events.value, ...added];
    },
    /** Puts an event in the place of the one with its id. */
    replace(whole: Event): void {
      events.value = events.value.map((event) => (event.id === whole.id ? whole : event));
    },
  };
}
