import * as z from 'zod';
import { required } from '../../backend/types.ts';
import { invalidArgument } from '../../errors.ts';
import { isBase64 } from '../../model/base64.ts';
import { artifactUri } from '../../model/uri.ts';
import { claim, idText, sessionId } from '../support/args.ts';
import { claimOn } from '../support/claim.ts';
import { defineTool, refOf } from '../support/define.ts';
import { artifactBrief } from '../support/results.ts';

const mimeType = /^[\w.+-]+\/[\w.+-]+(\s*;\s*[\w-]+=("[^"]*"|[\w.+-]+))*$/;

export const saveArtifact = defineTool({
  name: 'save_artifact',
  title: 'Save an artifact',
  description:
    'Saves a file with a session as the next version of its name; earlier versions stay. A "user:" name is shared by all sessions of the user.',
  toolset: 'artifacts',
  needs: ['artifacts.save'],
  reach: 'user',
  input: () => ({
    sessionId: sessionId(),
    name: idText().describe('Such as report.md or user:profile.json'),
    text: z.string().optional().describe('Content as text'),
    data: z.string().optional().describe('Content as base64'),
    mimeType: z
      .string()
      .max(200)
      .optional()
      .describe('Default: text/plain, or application/octet-stream for data'),
    claim: claim(),
  }),
  output: () => z.object({ artifact: artifactBrief(), sessionId: z.string() }),
  annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: false },
  async run(args, ctx) {
    const save = required(ctx.backend.artifacts?.save, ctx.backend, 'save an artifact');
    if ((args.text === undefined) === (args.data === undefined))
      throw invalidArgument('Exactly one of text and data must be given.', 'Give text, or data as base64.');
    if (args.data !== undefined && !isBase64(args.data))
      throw invalidArgument(
        'data is not base64.',
        'Encode the bytes with the standard alphabet and padding.',
      );
    if (args.mimeType !== undefined && !mimeType.test(args.mimeType))
      throw invalidArgument('mimeType is not a MIME type.', 'Use a form such as text/markdown.');
    const artifact = await save(
      refOf(ctx, args),
      {
        name: args.name,
        mimeType: args.mimeType ?? (args.text === undefined ? 'application/octet-stream' : 'text/plain'),
        data: args.text === undefined ? Buffer.from(args.data ?? '', 'base64') : Buffer.from(args.text),
      },
      { claim: claimOn(ctx.backend, args.claim) },
    );
    return { artifact, sessionId: args.sessionId };
  },
  links: ({ artifact, sessionId: id }, ctx) => [
    {
      uri: artifactUri({ ...ctx.owner, sessionId: id }, artifact.name),
      name: artifact.name,
      mimeType: artifact.mimeType,
    },
  ],
});
