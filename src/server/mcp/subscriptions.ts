import type { Principal } from '../../model/principal.ts';
import type { ServerDeps } from './deps.ts';
import { sessionOf } from './resources.ts';

/**
 * Watches the sessions behind resource addresses, counted by who holds them, and tells when one may have
 * changed, whichever process changed it.
 */
export interface ResourceWatch {
  /** Holds addresses under a key, in place of those that the key held before; none lets them go. */
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
  return {
    hold(key, uris) {
      for (const stop of held.get(key) ?? []) stop();
      held.delete(key);
      const stops = uris.flatMap((uri) => {
        const ref = sessionOf(uri, principal);
        return ref === undefined || watch === undefined ? [] : [watch(ref, () => notify(uri))];
      });
      if (stops.length > 0) held.set(key, stops);
    },
    close() {
      for (const stops of held.values()) for (const stop of stops) stop();
      held.clear();
    },
  };
}
