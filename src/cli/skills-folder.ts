import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The folder of the skills that are served: the build puts it beside the server's bundle. Undefined: it is gone. */
export function skillsFolder(): string | undefined {
  // The second is where it is from the sources.
  const places = ['./skills/', '../../skills/'].map((place) =>
    fileURLToPath(new URL(place, import.meta.url)),
  );
  return places.find((place) => existsSync(place));
}
