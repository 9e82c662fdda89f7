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
  const watchUri = (uri: string): (() => void)[] => {
    const ref = sessionOf(uri, principal);
    if (ref === undefined || watch === undefined) return [];
    try {
      return [watch(ref, () => notify(uri))];
    } catch (error) {
      deps.log.warn('A session cannot be watched.', { error });
      // Whoever then reads it is told what is wrong. The subscription is acknowledged first.
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
