import * as z from 'zod';
import { required } from '../../backend/types.ts';
import { answerBytes, fitTo } from '../../model/budget.ts';
import { scope, sessionId } from '../support/args.ts';
import { defineTool, refOf } from '../support/define.ts';
import { range, rangeOf } from '../support/range.ts';
import { memoryBrief, truncated, withoutDefaults } from '../support/results.ts';

export const addSessionToMemory = defineTool({
  name: 'add_session_to_memory',
  title: 'Add a session to memory',
  description:
    'Makes memories of a session, so that search_memory finds them from any session of the user. The note says how they were made.',
  toolset: 'memory',
  needs: ['memory.addSession'],
  reach: 'user',
  input: () => ({
    sessionId: sessionId(),
    range: range(),
    preview: z.boolean().optional().describe('true: only count the facts'),
    scope: scope(),
  }),
  output: () =>
    z.object({
      memories: z.array(memoryBrief()),
      count: z.int().describe('Facts made'),
      note: z.string(),
      truncated: truncated(),
    }),
  annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  async run(args, ctx) {
    const add = required(ctx.backend.memory?.addSession, ctx.backend, 'add a session to memory');
    const numbers = args.range === undefined ? undefined : rangeOf(args.range, ctx);
    const choice = { scope: args.scope, numbers };
    if (args.preview === true) {
      const count = required(ctx.backend.memory?.countFacts, ctx.backend, 'count facts beforehand');
      const facts = await count(refOf(ctx, args), choice);
      return { memories: [], count: facts, note: 'Nothing was made. So many facts would be.' };
    }
    const { memories, ...rest } = await add(refOf(ctx, args), choice);
    const { value, truncated } = fitTo(
      { ...rest, memories: memories.map((memory) => withoutDefaults(ctx, memory)) },
      answerBytes,
      'list_memories has all',
    );
    return { ...value, truncated: truncated || undefined };
  },
});
