import * as z from 'zod';
import { required } from '../../backend/types.ts';
import { scope } from '../support/args.ts';
import { defineTool } from '../support/define.ts';
import { memoryBrief } from '../support/results.ts';

export const createMemory = defineTool({
  name: 'create_memory',
  title: 'Create a memory',
  description: 'Remembers one fact about a user for all sessions, as it stands.',
  toolset: 'memory',
  needs: ['memory.create'],
  reach: 'user',
  input: { fact: z.string().min(1).describe('One sentence that makes sense by itself'), scope },
  output: z.object({ memory: memoryBrief }),
  annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: false },
  async run(args, ctx) {
    const create = required(ctx.backend.memory?.create, ctx.backend, 'create memories');
    return { memory: await create(ctx.owner, args) };
  },
});
