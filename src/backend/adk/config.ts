import type { DialectName } from './dialects.ts';

export interface AdkConfig {
  /** Of the API server, for example http://127.0.0.1:8000; Go servers answer below /api. */
  baseUrl: string;
  /** Which implementation answers there. Absent: the server is asked, without side effects. */
  dialect?: DialectName | undefined;
  /** Sent as a bearer token, for a server behind a proxy that wants one. */
  token?: string | undefined;
  /** The app of calls that name none. */
  defaultApp?: string | undefined;
  /** Plain http to another machine than this one. */
  allowHttp?: boolean | undefined;
  /** Milliseconds for one answer. Default 30 s. */
  timeoutMs?: number | undefined;
  /** Milliseconds that a run may stay silent: ADK servers send no heartbeat. Default 5 min. */
  runIdleMs?: number | undefined;
  /** Milliseconds to wait for the server when the backend is opened. Default 2 s. */
  detectMs?: number | undefined;
  /**
   * Largest answer that is read, in bytes. A session is answered whole, so this bounds its size. Default 64 MiB.
   */
  maxAnswerBytes?: number | undefined;
}

export const defaults = {
  timeoutMs: 30_000,
  runIdleMs: 300_000,
  detectMs: 2_000,
  maxAnswerBytes: 64 * 1024 * 1024,
} as const;
