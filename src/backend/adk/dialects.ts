/**
 * How the four implementations of the ADK API server differ: the only place that knows. Sources: TypeScript
 * 2.0.0 was run; Python (adk-python cli/api_server.py, 2.x), Go (adk-go server/adkrest, v2 and later) and Java
 * (adk-java dev/…/web/controller) were read.
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
  /** For people. */
  label: string;
  /** Tried in order until the server's answer shows the id and the state that were asked for. */
  createWays: readonly CreateWay[];
  /** PATCH of a session, with a state delta. */
  patchesState: boolean;
  /** POST of an artifact. */
  savesArtifacts: boolean;
  /** PATCH of the memory: a session is handed to the memory service. */
  addsToMemory: boolean;
  /**
   * `user:` and `app:` keys of the state that a session is created with are shared; else that session keeps them.
   */
  sharesInitialState: boolean;
  /** GET of an artifact's version numbers. Without it they are found by trying. */
  listsVersions: boolean;
  /** Number of an artifact's first version. */
  firstVersion: 0 | 1;
  /** DELETE of a session that is not there says so. */
  deleteSaysMissing: boolean;
  /** A run on a session that is not there is refused before it starts. */
  runSaysMissing: boolean;
  /** Text of a 500 answer that means "not found" or "already exists". */
  missingText?: RegExp;
  existsText?: RegExp;
  /** A "/" in an id, percent-encoded, reaches the handler; and in an artifact's name. */
  slashInIds: boolean;
  slashInArtifacts: boolean;
  /** State may hold null. */
  nullInState: boolean;
  /** A client that goes away ends the run. Undefined: not known. */
  disconnectEndsRun: boolean | undefined;
  /** An event with text and artifacts is streamed as two frames with one id. */
  splitsArtifactFrames: boolean;
  /** Events carry a time. */
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
    // Releases of 2025 ignore the id in the body and mint their own.
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
    missingText: /\b(not found|not exist)\s*$/,
    existsText: /\balready exists\s*$/,
    timesEvents: false,
  },
  java: {
    ...common,
    name: 'java',
    label: 'Java',
    // Its event stream reports a missing session by breaking off.
    runSaysMissing: false,
    sharesInitialState: false,
    nullInState: false,
  },
};

/** Go servers that name their language in /version also take a PATCH of a session. */
export const goWithPatch: Dialect = { ...dialects.go, patchesState: true };

/** What holds wherever the server turns out to be. */
export const unknownDialect: Dialect = {
  ...common,
  name: 'unknown',
  label: 'unknown',
  runSaysMissing: false,
  nullInState: true,
  disconnectEndsRun: undefined,
  splitsArtifactFrames: true,
};
