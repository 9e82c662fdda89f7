import type { Backend, RunLedger, SessionRef } from '../backend/types.ts';
import { type ErrorCode, errorCodes, SessionError } from '../errors.ts';
import type { RunError, RunRecord } from '../model/run.ts';
import { transcript } from './transcript.ts';
import type { Run, RunView } from './types.ts';
import { waitAtMost } from './wait.ts';

/** How often a run of another process is polled where changes are not announced. */
const pollMs = 1000;

/** A run of another process, or one that has ended, as the ledger knows it. */
export function followRun(backend: Backend, ledger: RunLedger, ref: SessionRef, known: RunRecord): Run {
  const { invocationId } = known;
  return {
    invocationId,
    async wait({ ms, signal, onText }) {
      const deadline = Date.now() + ms;
      let wake: () => void = () => {};
      const unwatch = known.status === 'running' ? backend.sessions?.watch?.(ref, () => wake()) : undefined;
      try {
        let record = known;
        for (;;) {
          const changed = new Promise<void>((resolve) => {
            wake = resolve;
          });
          record = (await ledger.get(ref, invocationId)) ?? record;
          const left = deadline - Date.now();
          if (record.status !== 'running' || left <= 0 || signal.aborted) break;
          await waitAtMost(changed, Math.min(left, pollMs), signal);
        }
        const view = await viewOf(ledger, ref, record);
        onText?.(view.text);
        return view;
      } finally {
        unwatch?.();
      }
    },
    async cancel() {
      await ledger.end(ref, invocationId, {
        status: 'cancelled',
        error: { code: 'CANCELLED', message: 'The run was cancelled by a caller.' },
      });
    },
  };
}

async function viewOf(ledger: RunLedger, ref: SessionRef, record: RunRecord): Promise<RunView> {
  const said = transcript();
  for (const event of await ledger.events(ref, record.invocationId, 200)) said.take(event);
  return {
    status: record.status,
    invocationId: record.invocationId,
    sessionId: ref.sessionId,
    events: said.events(),
    text: [said.text(), record.text ?? ''].filter((text) => text !== '').join('\n'),
    truncated: said.truncated(),
    ...(record.status === 'failed' ? { error: toError(record.error) } : {}),
  };
}

function toError(error: RunError | undefined): SessionError {
  const code = errorCodes.find((known): known is ErrorCode => known === error?.code) ?? 'INTERNAL';
  return new SessionError(code, error?.message ?? 'The run failed.', { hint: error?.hint });
}
