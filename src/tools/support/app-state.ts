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
  for (const holder of [args, ...objectsIn(args.input)])
    for (const name of stateNames) {
      const state = holder[name];
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

/**
 * Every object in the further arguments of a method: state may stand in an event among them, and
 * `streaming_agent_run_with_events` takes all of them as a JSON text. The backend refuses text that is not JSON.
 */
function objectsIn(input: unknown): JsonObject[] {
  if (Array.isArray(input)) return (input as unknown[]).flatMap(objectsIn);
  if (!isObject(input)) return [];
  return [
    input,
    ...Object.entries(input).flatMap(([name, value]) => {
      // A session that is handed back sets nothing.
      if (name === 'session') return [];
      return objectsIn(name === 'request_json' && typeof value === 'string' ? parsed(value) : value);
    }),
  ];
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
