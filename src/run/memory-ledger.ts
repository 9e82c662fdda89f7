import type { RunLedger, RunMarks, SessionRef } from '../backend/types.ts';
import { SessionError } from '../errors.ts';
import type { RunRecord } from '../model/run.ts';

/** Ended runs that are remembered. */
const maxPast = 500;

/**
 * Keeps runs in the memory of this process, for services that keep no record of them. After a restart only the
 * service's own marks, where it has any, tell of earlier runs.
 */
export function memoryLedger(marks?: RunMarks): RunLedger {
  /** The current run of each session. */
  const current = new Map<string, string>();
  /** Oldest first. */
  const records = new Map<string, RunRecord & { digest: string }>();
  const sessionOf = (ref: SessionRef) => JSON.stringify([ref.app, ref.userId, ref.sessionId]);
  const nameOf = (ref: SessionRef, invocationId: string) => `${invocationId} ${sessionOf(ref)}`;
  return {
    // No other process can take a run over. The lease is long because renewing it changes nothing.
    leaseMs: 3_600_000,
    async begin(ref, { invocationId, digest, isNew }) {
      const name = nameOf(ref, invocationId);
      const marked = isNew === true || records.has(name) ? undefined : await marks?.find(ref, invocationId);
      // Looked up after the wait: another call may have begun the run meanwhile.
      const known = records.get(name) ?? (marked && { ...marked.run, digest: marked.digest });
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
      records.delete(name);
      records.set(name, run);
      for (const [past, record] of records) {
        if (records.size <= maxPast) break;
        if (record.status !== 'running') records.delete(past);
      }
      return { begun: true, run };
    },
    async get(ref, invocationId) {
      return records.get(nameOf(ref, invocationId)) ?? (await marks?.find(ref, invocationId))?.run;
    },
    async renew() {
      return true;
    },
    async end(ref, invocationId, { status, error }) {
      const name = nameOf(ref, invocationId);
      const record = records.get(name);
      if (record === undefined && (await marks?.find(ref, invocationId))?.run.status === 'running')
        throw new SessionError(
          'FAILED_PRECONDITION',
          'This server did not begin the run and cannot end it.',
          {
            hint: 'The run ends by itself; call query with its invocationId and no message to see how it stands.',
          },
        );
      if (record?.status !== 'running') return record;
      if (current.get(sessionOf(ref)) === invocationId) current.delete(sessionOf(ref));
      const ended = { ...record, status, error };
      records.set(name, ended);
      return ended;
    },
    // Without marks only the service has the events, and who ran the agent in this process remembers them.
    async events(ref, invocationId, limit) {
      return (await marks?.find(ref, invocationId))?.events.slice(-limit) ?? [];
    },
  };
}
