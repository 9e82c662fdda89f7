import * as z from 'zod';
import { required } from '../../backend/types.ts';
import { pageSize, pageToken, scope } from '../support/args.ts';
import { defineTool } from '../support/define.ts';
import { memoryBrief, pageResult, showPage, withoutDefaults } from '../support/results.ts';

export const listMemories = defineTool({
  name: 'list_memories',
  title: 'List memories',
  description:
    'Lists what is remembered about a user, newest first; without a scope, in all scopes that the backend can list. To find something, use search_memory.',
  toolset: 'memory',
  needs: ['memory.list'],
  reach: 'user',
  input: () => ({ scope: scope(), pageSize: pageSize(), pageToken: pageToken() }),
  output: () => z.object({ memories: z.array(memoryBrief()), ...pageResult() }),
  annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  async run(args, ctx) {
    const list = required(ctx.backend.memory?.list, ctx.backend, 'list memories');
    const { items, ...page } = await showPage(
      ctx,
      'list_memories',
      args,
      (query) => list(ctx.owner, { ...query, scope: args.scope }),
      'search_memory finds it by other words',
    );
    return { memories: items.map((memory) => withoutDefaults(ctx, memory)), ...page };
  },
});
