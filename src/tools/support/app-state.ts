import { quote, SessionError } from '../../errors.ts';
import { isObject, type JsonObject } from '../../model/json.ts';
import type { Principal } from '../../model/principal.ts';

/** Who may set state under `app:` keys, which all users of an app share. */
export type AppStateWriters = 'admins' | 'everyone';

/** The names under which tools, and the services behind them, take state. */
const stateNames = ['state', 'stateDelta', 'state_delta'];

/**
 * Whatever is under an `app:` key stands in the answers of every other user of the app, so it is set by
 * admins, by the agents that this server runs, and by others only where the operator allows it.
 * @throws SessionError PERMISSION_DENIED that names the key
 */
export function checkAppState(
  args: JsonObject,
  { admin }: Principal,
  writers: AppStateWriters = 'admins',
): void {
  if (admin || writers === 'everyone') return;
  // A streaming method takes its state among its further arguments.
  for (const holder of [args, args.input])
    for (const name of stateNames) {
      const state = isObject(holder) ? holder[name] : undefined;
      const key = isObject(state) ? Object.keys(state).find((one) => one.startsWith('app:')) : undefined;
      if (key === undefined) continue;
      throw new SessionError(
        'PERMISSION_DENIED',
        `${quote(key)} is state that all users of the app share, and only an admin may set it. Nothing was done.`,
        {
          hint: 'Use a user: key or a plain one, or ask the operator to start the server with --app-state everyone.',
        },
      );
    }
}
