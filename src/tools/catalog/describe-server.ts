import * as z from 'zod';
import type { Backend, BackendInfo } from '../../backend/types.ts';
import { defineTool } from '../support/define.ts';

export const describeServer = defineTool({
  name: 'describe_server',
  title: 'Describe this server',
  description:
    'Tells the version, who you are to this server, what its backends can do, and where the data is.',
  toolset: 'server',
  needs: [],
  reach: 'server',
  input: () => ({}),
  output: () =>
    z.object({
      name: z.string(),
      version: z.string(),
      userId: z.string(),
      admin: z.boolean(),
      defaultApp: z.string(),
      tools: z.array(z.string()),
      backends: z.array(
        z
          .object({
            name: z.string(),
            location: z.string(),
            capabilities: z.array(z.string()),
            notes: z.array(z.string()),
          })
          .meta({ brief: true, description: 'name, location, capabilities, notes' }),
      ),
    }),
  annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  async run(_args, ctx) {
    return {
      ...ctx.server,
      userId: ctx.principal.userId,
      admin: ctx.principal.admin,
      defaultApp: ctx.owner.app,
      tools: [...ctx.tools],
      backends: await Promise.all(ctx.backends.map((backend) => describe(backend, ctx.principal.admin))),
    };
  },
});

/** Paths and addresses are the operator's business: other users hear which engine or service it is. */
async function describe(backend: Backend, admin: boolean): Promise<BackendInfo> {
  const info = await backend.describe();
  return admin ? info : { ...info, location: info.engine ?? info.name };
}
