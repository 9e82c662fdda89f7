import * as z from 'zod';
import { required } from '../../backend/types.ts';
import { idText } from '../support/args.ts';
import { defineTool } from '../support/define.ts';
import { appResult } from './list-apps.ts';

export const createApp = defineTool({
  name: 'create_app',
  title: 'Create an app',
  description:
    'Creates an app that sessions can belong to. Some services choose the name themselves: use the one in the result.',
  toolset: 'apps',
  needs: ['apps.create'],
  reach: 'backend',
  input: () => ({
    name: idText().describe('Name of the app'),
    displayName: z.string().max(500).optional().describe('Name for people'),
    description: z.string().max(2000).optional().describe('What the app is for'),
  }),
  output: () => z.object({ app: appResult() }),
  annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: false },
  async run(args, ctx) {
    const create = required(ctx.backend.apps?.create, ctx.backend, 'create apps');
    return { app: await create(args) };
  },
});
