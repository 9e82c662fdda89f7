import * as z from 'zod';
import { required } from '../../backend/types.ts';
import { pageSize, pageToken } from '../support/args.ts';
import { defineTool } from '../support/define.ts';
import { pageResult, showPage } from '../support/results.ts';

export const appResult = () =>
  z
    .object({
      name: z.string(),
      displayName: z.string().optional(),
      description: z.string().optional(),
      createTime: z.string().optional(),
    })
    .meta({ brief: true, description: 'name, displayName, description, createTime' });

export const listApps = defineTool({
  name: 'list_apps',
  title: 'List apps',
  description: 'Lists the apps (agents) that sessions can belong to.',
  toolset: 'apps',
  needs: ['apps.list'],
  reach: 'backend',
  input: () => ({ pageSize: pageSize(), pageToken: pageToken() }),
  output: () => z.object({ apps: z.array(appResult()), ...pageResult() }),
  annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  async run(args, ctx) {
    const list = required(ctx.backend.apps?.list, ctx.backend, 'list apps');
    const userId = ctx.principal.admin ? undefined : ctx.principal.userId;
    const { items, ...page } = await showPage(ctx, 'list_apps', args, (query) => list({ ...query, userId }));
    return { apps: items, ...page };
  },
});
