import type { Backend } from '../../../src/backend/types.ts';
import type { BackendSubject, ContractOptions } from '../../contract/backend.ts';

/** What ADK servers lack, with reasons. */
export function lacksOf(dialect: string): NonNullable<ContractOptions['lacks']> {
  return {
    labels: 'ADK keeps no labels.',
    revision: 'ADK keeps no revisions.',
    ownEventId: 'Nothing can be appended.',
    expiry: 'ADK sessions do not end by themselves.',
    ...(dialect === 'typescript' || dialect === 'java'
      ? { sharedState: 'The state a session is created with is not shared.' }
      : {}),
  };
}

/** The contract's subject for an ADK server that runs the echo agent. */
export function adkSubject(backend: Backend, stop: () => Promise<void>): BackendSubject {
  return {
    backend,
    app: 'echo_agent',
    async close() {
      await backend.close();
      await stop();
    },
    async makeEvents(ref, count) {
      const run = backend.query?.stream?.(
        ref,
        {
          message: { role: 'user', parts: [{ text: `burst ${count - 1}` }] },
          invocationId: 'unused',
        },
        new AbortController().signal,
      );
      for await (const event of run ?? [])
        if (event.errorCode !== undefined) throw new Error(event.errorCode);
      return [`burst ${count - 1}`, ...Array.from({ length: count - 1 }, (_, i) => `burst ${i}`)];
    },
  };
}
