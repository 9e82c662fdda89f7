import type { Writable } from 'node:stream';
import type { Backend, Owner } from '../backend/types.ts';
import { bare, setting } from '../config/setting.ts';
import { invalidArgument, SessionError } from '../errors.ts';
import { abortable } from '../net/abortable.ts';
import { type Call, defineCommand, withBackends } from './command.ts';

const withSharedState = (help: string) => ({
  withSharedState: setting({ flag: 'with-shared-state', kind: bare, otherwise: false, help }),
});

export const exportCommand = defineCommand({
  name: 'export',
  operands: ['SESSION'],
  help: 'write a session to stdout as JSON Lines',
  settings: withSharedState('put user: and app: state into the file'),
  run: (call) =>
    withBackends(call, async ({ backends }) => {
      const { exportSession } = await import('../transfer/export.ts');
      const { backend, owner } = targetOf(backends, call);
      const output = writerOf(call.io.stdout);
      const stop = stopOnSignal(call);
      await exportSession(backend, { ...owner, sessionId: call.operands[0] ?? '' }, output.write, {
        ...call.values,
        signal: AbortSignal.any([stop, output.closed]),
        progress: reporter(call),
      }).catch((error: unknown) => {
        // Whoever reads has enough, as `| head` has.
        if (!output.closed.aborted) throw error;
      });
      return 0;
    }),
});

export const importCommand = defineCommand({
  name: 'import',
  operands: ['[SESSION]'],
  help: 'read a session from stdin as JSON Lines, under its own or the given id',
  settings: withSharedState('also set the user: and app: state from the file, which all sessions share'),
  run: (call) =>
    withBackends(call, async ({ backends }) => {
      const { importSession } = await import('../transfer/import.ts');
      const { backend, owner } = targetOf(backends, call);
      const signal = stopOnSignal(call);
      const { session, losses } = await importSession(backend, owner, chunksOf(call.io.stdin, signal), {
        ...call.values,
        sessionId: call.operands[0],
        signal,
        progress: reporter(call),
      });
      for (const loss of losses) call.io.report(`${loss}\n`);
      call.io.print(`${session.id}\n`);
      return 0;
    }),
});

function targetOf(
  backends: readonly Backend[],
  { config }: Pick<Call<unknown>, 'config'>,
): { backend: Backend; owner: Owner } {
  const [backend] = backends;
  if (backend === undefined) throw invalidArgument('No backend is configured.', 'Use --backend local.');
  return { backend, owner: { app: backend.defaultApp ?? config.app, userId: config.user } };
}

/** How often a person at the terminal hears how far it is; work that is done sooner says nothing. */
const reportMs = 2000;

function reporter({ io }: Call<unknown>): (message: string) => void {
  let next = Date.now() + reportMs;
  return (message) => {
    if (Date.now() < next) return;
    next = Date.now() + reportMs;
    io.report(`${message}\n`);
  };
}

function stopOnSignal({ io }: Call<unknown>): AbortSignal {
  const controller = new AbortController();
  io.onSignal(() => controller.abort());
  return controller.signal;
}

interface Output {
  /** Resolves when more can be taken. */
  write(text: string): Promise<void>;
  /** Aborted when its reader has gone. */
  closed: AbortSignal;
}

/** Writes as fast as the reader reads. */
function writerOf(stdout: Writable): Output {
  const closed = new AbortController();
  // Without a listener the error ends the process with a stack; `write` hears of it too.
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') closed.abort();
  });
  return {
    closed: closed.signal,
    write: (text) =>
      new Promise((resolve, reject) => {
        stdout.write(text, (error) => {
          if (!error) return resolve();
          reject(
            new SessionError('UNAVAILABLE', 'The output cannot be written.', {
              hint: 'Check that there is room for it; what was written so far is incomplete.',
              cause: error,
            }),
          );
        });
      }),
  };
}

/** The input's bytes, until the signal: a terminal or pipe may be silent for ever. */
async function* chunksOf(
  input: AsyncIterable<Uint8Array | string>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void> {
  const chunks = input[Symbol.asyncIterator]();
  for (;;) {
    const next = await abortable(chunks.next(), signal).catch((error: unknown) => {
      throw signal.aborted
        ? new SessionError('CANCELLED', 'The import was stopped.', { hint: 'Nothing was kept.' })
        : error;
    });
    if (next.done === true) return;
    yield typeof next.value === 'string' ? Buffer.from(next.value) : next.value;
  }
}
