import { type Backend, supports } from '../../backend/types.ts';
import { invalidArgument, SessionError } from '../../errors.ts';
import type { Tool } from './define.ts';

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

/** @throws SessionError UNIMPLEMENTED naming the configured backends that can do what the chosen one cannot */
export function checkNeeds(tool: Tool, chosen: Backend, backends: readonly Backend[]): void {
  const can = (backend: Backend) => tool.needs.every((need) => supports(backend, need));
  if (can(chosen)) return;
  const others = backends.filter(can).map((backend) => backend.name);
  throw new SessionError('UNIMPLEMENTED', `The ${chosen.name} backend does not support ${tool.name}.`, {
    hint: `Backends that support it: ${others.join(', ')}; fork_session copies a session there.${tool.instead === undefined ? '' : ` ${tool.instead}`}`,
  });
}
