import { isUtf8 } from 'node:buffer';
import * as z from 'zod';
import { required } from '../../backend/types.ts';
import { isTextType } from '../../model/artifact.ts';
import { answerBytes, shownBytes } from '../../model/budget.ts';
import { artifactUri } from '../../model/uri.ts';
import { idText, sessionId } from '../support/args.ts';
import { defineTool, refOf } from '../support/define.ts';
import { artifactBrief } from '../support/results.ts';

export const getArtifact = defineTool({
  name: 'get_artifact',
  title: 'Get an artifact',
  description:
    'Reads a file of a session, or a piece of it: text for text types, else base64. nextOffset is where the next piece begins.',
  toolset: 'artifacts',
  needs: ['artifacts.get'],
  reach: 'user',
  input: () => ({
    sessionId: sessionId(),
    name: idText().describe('Name of the artifact'),
    version: z.int().min(0).max(Number.MAX_SAFE_INTEGER).optional().describe('Default: the latest'),
    offset: z.int().min(0).max(Number.MAX_SAFE_INTEGER).default(0).describe('First byte to read'),
    maxBytes: z.int().min(4).max(1_000_000).default(12_000).describe('Maximum bytes to read'),
  }),
  output: () =>
    z.object({
      artifact: artifactBrief(),
      sessionId: z.string(),
      offset: z.int(),
      text: z.string().optional(),
      data: z.string().optional().describe('base64'),
      nextOffset: z.int().optional(),
    }),
  annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  async run(args, ctx) {
    const get = required(ctx.backend.artifacts?.get, ctx.backend, 'get an artifact');
    const { artifact, data } = await get(refOf(ctx, args), args.name, args.version);
    // Bytes that are not UTF-8 would change if they were shown as text.
    const isText = isTextType(artifact.mimeType) && isUtf8(data);
    const start = isText ? characterStart(data, args.offset) : args.offset;
    const pieceTo = (bytes: number) => {
      const limit = Math.min(start + bytes, data.length);
      return data.subarray(start, isText ? characterStart(data, limit) : limit);
    };
    let bytes = args.maxBytes;
    let piece = pieceTo(bytes);
    // Characters that are written as escapes take up to six times their bytes.
    while (isText && bytes > 4 && shownBytes(piece.toString('utf8')) > room(args.maxBytes)) {
      bytes = Math.max(4, Math.floor(bytes / 2));
      piece = pieceTo(bytes);
    }
    const end = start + piece.length;
    return {
      artifact,
      sessionId: args.sessionId,
      offset: start,
      ...(isText ? { text: piece.toString('utf8') } : { data: piece.toString('base64') }),
      nextOffset: end < data.length ? end : undefined,
    };
  },
  links: ({ artifact, sessionId: id }, ctx) => [
    {
      uri: artifactUri({ ...ctx.owner, sessionId: id }, artifact.name),
      name: artifact.name,
      mimeType: artifact.mimeType,
    },
  ],
});

/** What a text may take in an answer: what the caller asked for, or what every answer may have. */
const room = (maxBytes: number) => Math.max(answerBytes - 2000, maxBytes);

/** The start of the UTF-8 character that the byte at `index` belongs to. */
function characterStart(data: Buffer, index: number): number {
  let start = Math.min(index, data.length);
  while (start > 0 && start < data.length && ((data[start] ?? 0) & 0xc0) === 0x80) start -= 1;
  return start;
}
