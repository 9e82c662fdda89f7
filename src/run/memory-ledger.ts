import type { RunLedger, SessionRef } from '../backend/types.ts';
import { SessionError } from '../errors.ts';
import type { RunRecord } from '../model/run.ts';

/** Ended runs that are remembered. */
const maxPast = 500;

/** Notes runs in this process, for services that keep no account of them. Nothing here survives it. */
export function memoryLedger(): RunLedger {
  /** The run that goes on, by session. */
  const current = new Map<string, string>();
  /** Oldest first. */
  const records = new Map<string, RunRecord & { digest: string }>();
  const sessionOf = (ref: SessionRef) => JSON.stringify([ref.app, ref.userId, ref.sessionId]);
  const nameOf = (ref: SessionRef, invocationId: string) => `${invocationId} ${sessionOf(ref)}`;
  return {
    // Nobody else can take a run over, so the lease only sets how often nothing is renewed.
    leaseMs: 3_600_000,
    async begin(ref, { invocationId, digest }) {
      const known = records.get(nameOf(ref, invocationId));
      if (known !== undefined && known.digest !== digest)
        throw new SessionError(
          'ALREADY_EXISTS',
          'A run with this invocationId exists, and its message was different.',
          {
            hint: 'Leave invocationId out for a new run, or send no message to see that run.',
          },
        );
      if (known?.status === 'running' || known?.status === 'completed') return { begun: false, run: known };
      const running = current.get(sessionOf(ref));
      if (running !== undefined)
        throw new SessionError(
          'ABORTED',
          'An agent is already running in this session, and only one can run at a time.',
          {
            hint: 'Call query with its invocationId and no message to wait for its end, then try again.',
            details: { invocationId: running },
          },
        );
      const run = { invocationId, digest, status: 'running' as const, author: ref.app };
      current.set(sessionOf(ref), invocationId);
      records.delete(nameOf(ref, invocationId));
      records.set(nameOf(ref, invocationId), run);
      for (const [name, record] of records) {
        if (records.size <= maxPast) break;
        if (record.status !== 'running') records.delete(name);
      }
      return { begun: true, run };
    },
    async get(ref, invocationId) {
      return records.get(nameOf(ref, invocationId));
    },
    async renew() {
      return true;
    },
    async end(ref, invocationId, { status, error }) {
      const name = nameOf(ref, invocationId);
      const record = records.get(name);
      if (record?.status !== 'running') return record;
      if (current.get(sessionOf(ref)) === invocationId) current.delete(sessionOf(ref));
      const ended = { ...record, status, error };
      records.set(name, ended);
      return ended;
    },
    // The service has the events; who ran the agent in this process remembers them.
    async events() {
      return [];
    },
  };
}
