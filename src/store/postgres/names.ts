/** All tables and functions begin with it, and lie in the first schema of the search path. */
export const prefix = 'agent_sessions_';

/** Of the advisory locks, which all programs of a database share: "asms". */
export const lockSpace = 0x61736d73;
