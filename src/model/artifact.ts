import * as z from 'zod';

/** A file that belongs to a session, or to the user when its name begins with `user:`. Versions count from 0. */
export const artifactSchema = () =>
  z.object({
    name: z.string(),
    version: z.int(),
    mimeType: z.string(),
    sizeBytes: z.int(),
    sha256: z.string().optional(),
    createTime: z.string().optional(),
  });
export type Artifact = z.infer<ReturnType<typeof artifactSchema>>;

export const isUserArtifact = (name: string): boolean => name.startsWith('user:');

/** Whether a content of this type is handed out as text rather than as base64. */
export function isTextType(mimeType: string): boolean {
  return /^(text\/|application\/(json|xml|yaml|x-yaml|javascript|x-ndjson|.*\+(json|xml))(;|$))/i.test(
    mimeType,
  );
}
