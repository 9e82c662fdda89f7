import * as z from 'zod';
import { required } from '../../backend/types.ts';
import { answerBytes, fitTo } from '../../model/budget.ts';
import { scope, sessionId } from '../support/args.ts';
import { defineTool, refOf } from '../support/define.ts';
import { memoryBrief, pageResult } from '../support/results.ts';

export const addSessionToMemory = defineTool({
  name: 'add_session_to_memory',
  title: 'Add a session to memory',
  description:
    'Makes memories of a session, so that search_memory finds them from any session of the user. The note in the result says how the backend makes them.',
  toolset: 'memory',
  needs: ['memory.addSession'],
  reach: 'user',
  input: { sessionId, scope },
  output: z.object({
    memories: z.array(memoryBrief),
    count: z.int().describe('Facts made'),
    note: z.string(),
    truncated: pageResult.truncated,
  }),
  annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  async run(args, ctx) {
    const add = required(ctx.backend.memory?.addSession, ctx.backend, 'add a session to memory');
    const { value, truncated } = fitTo(
      await add(refOf(ctx, args), { scope: args.scope }),
      answerBytes,
      'list_memories has all',
    );
    return { ...value, truncated: truncated || undefined };
  },
});
