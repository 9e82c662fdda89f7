import type { DialectName } from './dialects.ts';

export interface AdkConfig {
  /** The address of the API server, for example http://127.0.0.1:8000. Go servers answer below /api. */
  baseUrl: string;
  /** The implementation of the server. Absent: it is detected, without side effects. */
  dialect?: DialectName | undefined;
  /** Bearer token, for a server behind a proxy that requires one. */
  token?: string | undefined;
  /** The app that a call without `app` goes to. */
  defaultApp?: string | undefined;
  /** Allows plain http to another machine. */
  allowHttp?: boolean | undefined;
  /** Milliseconds for one answer. Default 30 s. */
  timeoutMs?: number | undefined;
  /** Milliseconds that a run may stay silent: ADK servers send no heartbeat. Default 5 min. */
  runIdleMs?: number | undefined;
  /** Milliseconds to wait for the server when the backend is opened. Default 2 s. */
  detectMs?: number | undefined;
  /**
   * Largest answer in bytes. Servers send a session only whole, so this limits its size, too. Default 64 MiB.
   */
  maxAnswerBytes?: number | undefined;
}

export const defaults = {
  timeoutMs: 30_000,
  runIdleMs: 300_000,
  detectMs: 2_000,
  maxAnswerBytes: 64 * 1024 * 1024,
} as const;
