import * as z from 'zod';
import { required } from '../../backend/types.ts';
import { quote } from '../../errors.ts';
import { confirm, idText } from '../support/args.ts';
import { defineTool } from '../support/define.ts';

export const deleteMemory = defineTool({
  name: 'delete_memory',
  title: 'Delete a memory',
  description: 'Forgets one memory for good. Asks the user first.',
  toolset: 'memory',
  needs: ['memory.delete'],
  reach: 'user',
  input: { memoryId: idText().describe('Id from search_memory or list_memories'), confirm },
  output: z.object({ deleted: z.boolean(), memoryId: z.string() }),
  annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: false },
  async confirm(args) {
    return { question: `Forget memory ${quote(args.memoryId)}? This cannot be undone.`, version: '' };
  },
  async run(args, ctx) {
    const remove = required(ctx.backend.memory?.delete, ctx.backend, 'delete memories');
    await remove(ctx.owner, args.memoryId);
    return { deleted: true, memoryId: args.memoryId };
  },
});
