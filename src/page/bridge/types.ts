import type { JsonObject } from '../../model/json.ts';

export interface CallOptions {
  signal?: AbortSignal | undefined;
  /** What the tool says while it works. */
  onProgress?: ((message: string) => void) | undefined;
}

/** What the page is shown for, if a host opened it with the result of a tool. */
export interface Occasion {
  tool?: string | undefined;
  args: JsonObject;
  result?: JsonObject | undefined;
}

/** How the page wants to look, as the host says it. */
export interface Surroundings {
  theme?: 'light' | 'dark' | undefined;
  /** Pixels that the page may have; undefined: the window's. */
  height?: number | undefined;
  timeZone?: string | undefined;
  locale?: string | undefined;
  displayMode?: string | undefined;
  displayModes?: readonly string[] | undefined;
  /** CSS variables of the host, by the names of MCP Apps. */
  variables?: Readonly<Record<string, string | undefined>> | undefined;
}

/** The page's only way to the server: its tools, directly or through a host. */
export interface Bridge {
  kind: 'browser' | 'app';
  /** Names of the tools there are, with their arguments where these are known. */
  tools(): Promise<ReadonlyMap<string, ReadonlySet<string> | undefined>>;
  /** Resolves to the structured result. @throws CallFailure */
  call(tool: string, args: JsonObject, options?: CallOptions): Promise<JsonObject>;
  /** Opens an address that the person has agreed to. */
  openLink(url: string): void;
  saveFile(name: string, mimeType: string, content: Uint8Array<ArrayBuffer>): Promise<void>;
}

interface FailureOptions {
  hint?: string | undefined;
  retryAfter?: number | undefined;
}

/** A call that failed, with a code of google.rpc. UNAVAILABLE: the server was not reached. */
export class CallFailure extends Error {
  readonly code: string;
  readonly hint: string | undefined;
  readonly retryAfter: number | undefined;
  constructor(code: string, message: string, { hint, retryAfter }: FailureOptions = {}) {
    super(message);
    this.code = code;
    this.hint = hint;
    this.retryAfter = retryAfter;
  }
}

export const isLost = (error: unknown): boolean =>
  error instanceof CallFailure && error.code === 'UNAVAILABLE';
