import type { Backend, Owner } from '../backend/types.ts';
import type { Config } from '../config/index.ts';
import { invalidArgument, SessionError } from '../errors.ts';
import { isNewFile, placeOf } from '../store/open.ts';
import { type Call, StartFailure, withBackends } from './command.ts';

/** What a command works on: the first backend, its default app and the configured user. */
interface Target {
  backend: Backend;
  owner: Owner;
}

/** Opens the first backend for a command that writes to it. */
export function withTarget(call: Call<unknown>, work: (target: Target) => Promise<void>): Promise<number> {
  const config = { ...call.config, backends: call.config.backends.slice(0, 1) };
  return withBackends({ config, log: call.log }, async ({ backends: [backend] }) => {
    if (backend === undefined) throw invalidArgument('No backend is configured.', 'Use --backend local.');
    await work({ backend, owner: { app: backend.defaultApp ?? config.app, userId: config.user } });
    return 0;
  });
}

/** The same for a command that only reads: it makes no store where there is none, since that is a mistyped address. */
export function withReadTarget(
  call: Call<unknown>,
  work: (target: Target) => Promise<void>,
): Promise<number> {
  if (call.config.backends[0] === 'local') checkStoreExists(call.config);
  return withTarget(call, work);
}

function checkStoreExists({ store }: Config): void {
  const place = placeOf(store);
  if (place.engine !== 'memory' && place.engine !== 'sqlite') return;
  if (place.engine === 'sqlite' && !isNewFile(place)) return;
  const message =
    place.engine === 'memory'
      ? 'A store in memory is empty at every start.'
      : `There is no store at ${place.path}.`;
  throw new StartFailure(
    new SessionError('FAILED_PRECONDITION', message, {
      hint: 'The server makes it at its first start; if there is another, name it with --store sqlite:PATH.',
    }),
  );
}
