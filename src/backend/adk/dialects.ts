/**
 * The four implementations of the ADK API server. All their differences are in this file, as data; the sources are
 * named in docs/protocols/adk.md, "Dialects".
 */
export type DialectName = 'typescript' | 'python' | 'go' | 'java';

/**
 * Ways to create a session under the caller's own id:
 * `path` the id in the path, `{state}` in the body; `body` both in the body; `raw` the id in the path and the
 * state as the whole body.
 */
export type CreateWay = 'path' | 'body' | 'raw';

export interface Dialect {
  name: DialectName | 'unknown';
  /** The name in texts for people. */
  label: string;
  /** Tried in order until the server's answer shows the id and the state that were asked for. */
  createWays: readonly CreateWay[];
  /** Whether PATCH of a session takes a state delta. */
  patchesState: boolean;
  /** Whether POST saves an artifact. */
  savesArtifacts: boolean;
  /** Whether PATCH of a user's memory adds a session to it. */
  addsToMemory: boolean;
  /**
   * Whether `user:` and `app:` keys of a session's initial state are shared. If not, they stay in that session.
   */
  sharesInitialState: boolean;
  /** Whether GET lists an artifact's version numbers. If not, they are found by trying. */
  listsVersions: boolean;
  /** The number of an artifact's first version. */
  firstVersion: 0 | 1;
  /** Whether DELETE of a missing session answers that it is missing. */
  deleteSaysMissing: boolean;
  /** Whether a run on a missing session is refused before it starts. */
  runSaysMissing: boolean;
  /** Whether every refusal is a JSON object. If not, some are plain texts. */
  refusesInJson: boolean;
  /** Texts of a 500 answer that mean "not found" and "already exists". */
  missingText?: RegExp;
  existsText?: RegExp;
  /** Whether a percent-encoded "/" in an id reaches the handler, and in an artifact's name. */
  slashInIds: boolean;
  slashInArtifacts: boolean;
  /** Whether state may hold null. */
  nullInState: boolean;
  /** Whether the run ends when the client disconnects. Undefined: unknown. */
  disconnectEndsRun: boolean | undefined;
  /** Whether an event with text and artifacts is streamed as two frames with one id. */
  splitsArtifactFrames: boolean;
  /** Whether events have a time. */
  timesEvents: boolean;
}

const common = {
  createWays: ['path'],
  patchesState: false,
  savesArtifacts: false,
  addsToMemory: false,
  sharesInitialState: true,
  listsVersions: true,
  firstVersion: 0,
  deleteSaysMissing: false,
  runSaysMissing: true,
  refusesInJson: true,
  slashInIds: false,
  slashInArtifacts: false,
  nullInState: true,
  disconnectEndsRun: true,
  splitsArtifactFrames: false,
  timesEvents: true,
} as const satisfies Partial<Dialect>;

export const dialects: Record<DialectName, Dialect> = {
  typescript: {
    ...common,
    name: 'typescript',
    label: 'TypeScript',
    sharesInitialState: false,
    deleteSaysMissing: true,
    slashInIds: true,
    slashInArtifacts: true,
    disconnectEndsRun: false,
  },
  python: {
    ...common,
    name: 'python',
    label: 'Python',
    // Releases of 2025 ignore the id in the body and make one of their own.
    createWays: ['body', 'raw'],
    patchesState: true,
    savesArtifacts: true,
    addsToMemory: true,
    slashInArtifacts: true,
    splitsArtifactFrames: true,
  },
  go: {
    ...common,
    name: 'go',
    label: 'Go',
    listsVersions: false,
    firstVersion: 1,
    refusesInJson: false,
    missingText: /\b(not found|not exist)\s*$/,
    existsText: /\balready exists\s*$/,
    timesEvents: false,
  },
  java: {
    ...common,
    name: 'java',
    label: 'Java',
    // For a missing session its event stream breaks off without an error.
    runSaysMissing: false,
    sharesInitialState: false,
    nullInState: false,
  },
};

/** Go servers that name their language in /version also take a PATCH of a session. */
export const goWithPatch: Dialect = { ...dialects.go, patchesState: true };

/** What is safe to assume until the dialect is detected. */
export const unknownDialect: Dialect = {
  ...common,
  name: 'unknown',
  label: 'unknown',
  runSaysMissing: false,
  refusesInJson: false,
  nullInState: true,
  disconnectEndsRun: undefined,
  splitsArtifactFrames: true,
};
