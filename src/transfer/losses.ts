import type { ArrivingSession } from '../backend/types.ts';
import { compact, type Event, type NewEvent } from '../model/event.ts';
import type { JsonObject } from '../model/json.ts';
import { counted, plural } from '../model/plural.ts';
import { splitState } from '../model/state.ts';

type Counter = 'hidden' | 'feedback' | 'shared' | 'artifact' | 'renumbered';

/** Counts what a copy loses, so that the answer can say it. */
export function countLosses(name: string, session: ArrivingSession) {
  const counts: Record<Counter, number> = {
    hidden: 0,
    feedback: 0,
    shared: 0,
    artifact: 0,
    renumbered: 0,
  };
  const missing = new Set<string>();
  let labels = true;
  const add = (what: Counter) => () => {
    counts[what] += 1;
  };
  return {
    hidden: add('hidden'),
    artifact: add('artifact'),
    renumbered: add('renumbered'),
    lacks(field: 'labels' | 'expireTime', of: ArrivingSession) {
      if (field === 'labels') labels = false;
      if (Object.keys(of[field] ?? {}).length > 0) missing.add(field);
    },
    keepsLabels: () => labels,
    /** The event without what cannot be appended. */
    without(event: Event, timestamp: string): NewEvent {
      const { hidden: _hidden, hideReason: _reason, feedback, actions, ...rest } = event;
      if (feedback !== undefined && feedback.length > 0) counts.feedback += 1;
      const { session: own, user, app } = splitState(actions?.stateDelta ?? {});
      const shared = Object.keys({ ...user, ...app }).length > 0;
      if (shared) counts.shared += 1;
      const kept = shared
        ? compact({ ...actions, stateDelta: Object.keys(own).length > 0 ? own : undefined })
        : actions;
      return compact<NewEvent & JsonObject>({ ...rest, timestamp, actions: kept });
    },
    sentences(moved: number): string[] {
      const { hidden, feedback, shared, artifact, renumbered } = counts;
      return [
        ...(hidden === 0
          ? []
          : [`${plural(hidden, 'hidden event')} left out: the ${name} backend cannot hide events.`]),
        ...(feedback === 0
          ? []
          : [
              `Feedback on ${counted(feedback, 'event')} was left out: the ${name} backend does not keep feedback with events.`,
            ]),
        ...(shared === 0
          ? []
          : [
              `Changes of user: and app: state were removed from ${counted(shared, 'event')}; the shared state itself stays as it is.`,
            ]),
        ...(artifact === 0
          ? []
          : [`${plural(artifact, 'artifact version')} left out: the ${name} backend keeps no artifacts.`]),
        ...(renumbered === 0
          ? []
          : [
              `${plural(renumbered, 'artifact version')} renumbered: the ${name} backend counts versions itself.`,
            ]),
        ...(moved === 0
          ? []
          : [
              `The times of ${counted(moved, 'event')} were moved later, since the ${name} backend orders events by time.`,
            ]),
        ...(session.createTime === undefined
          ? []
          : [`createTime is the time of the copy: the ${name} backend sets it itself.`]),
        ...[...missing].map(
          (field) => `The session’s ${field} was left out: the ${name} backend does not keep it.`,
        ),
      ];
    },
  };
}
