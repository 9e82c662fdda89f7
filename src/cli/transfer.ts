import { bare, setting } from '../config/setting.ts';
import { SessionError } from '../errors.ts';
import { abortable } from '../net/abortable.ts';
import { type Call, defineCommand } from './command.ts';
import { withOutput } from './output.ts';
import { withReadTarget, withTarget } from './target.ts';

const withSharedState = (help: string) => ({
  withSharedState: setting({ flag: 'with-shared-state', kind: bare, otherwise: false, help }),
});

export const exportCommand = defineCommand({
  name: 'export',
  operands: ['SESSION'],
  help: 'write a session to stdout as JSON Lines',
  settings: withSharedState('put user: and app: state into the file'),
  run: (call) =>
    withReadTarget(call, async ({ backend, owner }) => {
      const { exportSession } = await import('../transfer/export.ts');
      const stop = stopOnSignal(call);
      await withOutput(call.io, (output) =>
        exportSession(backend, { ...owner, sessionId: call.operands[0] ?? '' }, output.write, {
          ...call.values,
          signal: AbortSignal.any([stop, output.closed]),
          progress: reporter(call),
        }),
      );
    }),
});

export const importCommand = defineCommand({
  name: 'import',
  operands: ['[SESSION]'],
  help: 'read a session from stdin as JSON Lines, under its own or the given id',
  settings: withSharedState('also set the user: and app: state from the file, which all sessions share'),
  run: (call) =>
    withTarget(call, async ({ backend, owner }) => {
      const { importSession } = await import('../transfer/import.ts');
      const signal = stopOnSignal(call);
      const { session, losses } = await importSession(backend, owner, chunksOf(call.io.stdin, signal), {
        ...call.values,
        sessionId: call.operands[0],
        signal,
        progress: reporter(call),
      });
      for (const loss of losses) call.io.report(`${loss}\n`);
      call.io.print(`${session.id}\n`);
    }),
});

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
