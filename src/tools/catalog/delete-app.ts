import * as z from 'zod';
import { required } from '../../backend/types.ts';
import { quote } from '../../errors.ts';
import { confirm, idText } from '../support/args.ts';
import { defineTool } from '../support/define.ts';

export const deleteApp = defineTool({
  name: 'delete_app',
  title: 'Delete an app',
  description:
    'Deletes an app; with force also the sessions, artifacts and memories of all its users. Asks the user first.',
  toolset: 'apps',
  needs: ['apps.get', 'apps.delete'],
  reach: 'backend',
  input: () => ({
    name: idText().describe('Name from list_apps'),
    force: z.boolean().default(false).describe('true: delete it with all sessions in it'),
    confirm: confirm(),
  }),
  output: () => z.object({ deleted: z.boolean(), name: z.string() }),
  annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: false },
  async confirm(args, ctx) {
    const app = await required(ctx.backend.apps?.get, ctx.backend, 'get an app')(args.name);
    const all = args.force ? ' with all sessions of all its users' : '';
    return {
      question: `Delete app ${quote(args.name)}${all}? This cannot be undone.`,
      version: app.createTime ?? '',
    };
  },
  async run(args, ctx) {
    const remove = required(ctx.backend.apps?.delete, ctx.backend, 'delete apps');
    await remove(args.name, { force: args.force });
    return { deleted: true, name: args.name };
  },
});
