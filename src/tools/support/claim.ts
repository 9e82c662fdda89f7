import { type Backend, required } from '../../backend/types.ts';

/**
 * The claim of a call, where the backend can tell whether it still holds.
 * @throws SessionError UNIMPLEMENTED
 */
export function claimOn(backend: Backend, claim: string | undefined): string | undefined {
  if (claim !== undefined) required(backend.turns?.take, backend, 'hand out turns', 'Leave claim out.');
  return claim;
}
