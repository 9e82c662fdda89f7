import * as z from 'zod';
import { required } from '../../backend/types.ts';
import { answerBytes, fitTo } from '../../model/budget.ts';
import { scope } from '../support/args.ts';
import { defineTool } from '../support/define.ts';
import { memoryBrief, truncated } from '../support/results.ts';

export const createMemory = defineTool({
  name: 'create_memory',
  title: 'Create a memory',
  description: 'Stores one fact about a user, unchanged, for all sessions.',
  toolset: 'memory',
  needs: ['memory.create'],
  reach: 'user',
  input: () => ({
    fact: z.string().min(1).describe('One sentence that makes sense by itself'),
    scope: scope(),
  }),
  output: () => z.object({ memory: memoryBrief(), truncated: truncated() }),
  annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: false },
  async run(args, ctx) {
    const create = required(ctx.backend.memory?.create, ctx.backend, 'create memories');
    const memory = await create(ctx.owner, args);
    const { value, truncated } = fitTo(memory, answerBytes - 1000, 'all of it is stored');
    return { memory: value, truncated: truncated || undefined };
  },
});
