import * as z from 'zod';
import { required } from '../../backend/types.ts';
import { pageSize, pageToken, sessionId } from '../support/args.ts';
import { defineTool, refOf } from '../support/define.ts';
import { artifactItem, pageResult, showPage } from '../support/results.ts';

export const listArtifacts = defineTool({
  name: 'list_artifacts',
  title: 'List artifacts',
  description:
    'Lists the files of a session, and the user: files that all sessions of the user share, each with its latest version and without content.',
  toolset: 'artifacts',
  needs: ['artifacts.list'],
  reach: 'user',
  input: () => ({ sessionId: sessionId(), pageSize: pageSize(), pageToken: pageToken() }),
  output: () => z.object({ artifacts: z.array(artifactItem()), ...pageResult() }),
  annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  async run(args, ctx) {
    const list = required(ctx.backend.artifacts?.list, ctx.backend, 'list artifacts');
    const { items, ...page } = await showPage(ctx, 'list_artifacts', args, (query) =>
      list(refOf(ctx, args), query),
    );
    return { artifacts: items, ...page };
  },
});
