import * as z from 'zod';
import { type MemoryChoice, required } from '../../backend/types.ts';
import { invalidArgument, quote } from '../../errors.ts';
import type { MemoryScope } from '../../model/memory.ts';
import { counted } from '../../model/plural.ts';
import { confirm, idText, scope } from '../support/args.ts';
import { defineTool } from '../support/define.ts';

export const deleteMemory = defineTool({
  name: 'delete_memory',
  title: 'Delete memories',
  description: 'Forgets a memory for good, or all of a session or scope. Asks the user first.',
  toolset: 'memory',
  needs: ['memory.delete'],
  reach: 'user',
  input: () => ({
    memoryId: idText().optional().describe('Memory id'),
    sessionId: idText().optional().describe('All made of this session'),
    scope: scope().describe('All of this scope'),
    confirm: confirm(),
  }),
  output: () => z.object({ deleted: z.boolean(), memoryId: z.string().optional(), count: z.int() }),
  annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: false },
  async confirm(args, ctx) {
    const which = choiceOf(args);
    if (which === undefined)
      return { question: `Forget memory ${quote(args.memoryId ?? '')}? This cannot be undone.`, version: '' };
    const count = await required(
      ctx.backend.memory?.count,
      ctx.backend,
      'delete several memories',
    )(ctx.owner, which);
    const of = [
      ...(args.sessionId === undefined ? [] : [`made of session ${quote(args.sessionId)}`]),
      ...(which.scope === undefined ? [] : [`of the scope ${JSON.stringify(which.scope)}`]),
    ].join(' and ');
    return {
      question: `Forget ${counted(count, 'memory')} ${of}? This cannot be undone.`,
      version: String(count),
    };
  },
  async run(args, ctx) {
    const which = choiceOf(args);
    if (which !== undefined) {
      const remove = required(ctx.backend.memory?.deleteAll, ctx.backend, 'delete several memories');
      const count = await remove(ctx.owner, which);
      return { deleted: count > 0, count };
    }
    const remove = required(ctx.backend.memory?.delete, ctx.backend, 'delete memories');
    await remove(ctx.owner, args.memoryId ?? '');
    return { deleted: true, memoryId: args.memoryId, count: 1 };
  },
});

/** Undefined for a single memory. @throws SessionError INVALID_ARGUMENT */
function choiceOf({
  memoryId,
  sessionId,
  scope,
}: {
  memoryId?: string | undefined;
  sessionId?: string | undefined;
  scope?: MemoryScope | undefined;
}): MemoryChoice | undefined {
  const several = sessionId !== undefined || scope !== undefined;
  if (several === (memoryId !== undefined))
    throw invalidArgument(
      'It is not clear which memories are meant.',
      'Give memoryId alone, or sessionId, scope or both.',
    );
  return several ? { sessionIds: sessionId === undefined ? undefined : [sessionId], scope } : undefined;
}
