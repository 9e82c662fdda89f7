import type { Principal } from '../../model/principal.ts';
import type { ServerDeps } from './deps.ts';
import { sessionOf } from './resources.ts';

/**
 * Watches the sessions of resource addresses and notifies when one may have changed, whichever process changed it.
 */
export interface ResourceWatch {
  /** Sets the addresses that a key watches, in place of its earlier ones; an empty list ends its watching. */
  hold(key: string, uris: readonly string[]): void;
  close(): void;
}

export function watchResources(
  deps: ServerDeps,
  principal: Principal,
  notify: (uri: string) => void,
): ResourceWatch {
  const held = new Map<string, (() => void)[]>();
  const watch = deps.backends[0]?.sessions?.watch;
  const watchUri = (uri: string): (() => void)[] => {
    const ref = sessionOf(uri, principal);
    if (ref === undefined || watch === undefined) return [];
    try {
      return [watch(ref, () => notify(uri))];
    } catch (error) {
      deps.log.warn('A session cannot be watched.', { error });
      // A notification makes the client read the session, which tells what is wrong. It follows the acknowledgement.
      setImmediate(notify, uri);
      return [];
    }
  };
  return {
    hold(key, uris) {
      for (const stop of held.get(key) ?? []) stop();
      held.delete(key);
      const stops = uris.flatMap(watchUri);
      if (stops.length > 0) held.set(key, stops);
    },
    close() {
      for (const stops of held.values()) for (const stop of stops) stop();
      held.clear();
    },
  };
}
