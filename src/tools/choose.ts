import type { Backend } from '../backend/types.ts';
import { invalidArgument } from '../errors.ts';

/** @throws SessionError INVALID_ARGUMENT naming the backends that there are */
export function chooseBackend(backends: readonly Backend[], name: string | undefined): Backend {
  const found = name === undefined ? backends[0] : backends.find((backend) => backend.name === name);
  if (found === undefined)
    throw invalidArgument(
      'There is no such backend.',
      `Use one of ${backends.map((b) => b.name).join(', ')}.`,
    );
  return found;
}
