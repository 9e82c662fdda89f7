import type { Traits } from './behaviour.ts';

const common: Traits = {
  label: '',
  extra: [],
  slashInIds: false,
  runsOnAfterDisconnect: false,
  timesEvents: true,
  firstVersion: 0,
  failureCode: 'INTERNAL',
};

export const traits = {
  typescript: {
    ...common,
    label: 'TypeScript',
    slashInIds: true,
    runsOnAfterDisconnect: true,
  },
  python: {
    ...common,
    label: 'Python',
    extra: ['sessions.update', 'artifacts.save', 'memory.addSession'],
  },
  go: { ...common, label: 'Go', timesEvents: false, firstVersion: 1 },
  goWithPatch: {
    ...common,
    label: 'Go',
    timesEvents: false,
    firstVersion: 1,
    extra: ['sessions.update'],
  },
  java: { ...common, label: 'Java', failureCode: 'UNAVAILABLE' },
} satisfies Record<string, Traits>;
