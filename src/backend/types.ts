// The interface between tools and backends: `Backend`, and each group of its verbs with what they take and answer.
export type * from './types/apps.ts';
export type * from './types/artifacts.ts';
export type * from './types/backend.ts';
export { type Capability, capabilitiesOf, required, supports } from './types/capabilities.ts';
export type * from './types/events.ts';
export type * from './types/feedback.ts';
export type * from './types/memory.ts';
export type * from './types/owner.ts';
export type * from './types/query.ts';
export type * from './types/runs.ts';
export type * from './types/sessions.ts';
export type * from './types/tool-calls.ts';
export type * from './types/transfer.ts';
export type * from './types/turns.ts';
