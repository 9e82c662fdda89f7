import type { Artifact } from '../../model/artifact.ts';
import { base64Of } from '../model/base64.ts';
import type { Calls } from './calls.ts';
import { argsOf, type Ref } from './refs.ts';

interface Piece {
  artifact: Artifact;
  text?: string;
  data?: string;
  nextOffset?: number;
}

export interface Content {
  artifact: Artifact;
  bytes: Uint8Array<ArrayBuffer>;
  /** Of text types. */
  text: string | undefined;
  isWhole: boolean;
  base64(): string;
}

/** Bytes of one call, and of all that is shown or saved of one file. */
const [pieceBytes, mostBytes] = [400_000, 25_000_000];

/** Reads a file, piece by piece. */
export async function readArtifact(
  calls: Calls,
  ref: Ref,
  name: string,
  version: number | undefined,
): Promise<Content> {
  const pieces: Uint8Array[] = [];
  let [offset, isText]: [number | undefined, boolean] = [0, false];
  let artifact: Artifact | undefined;
  while (offset !== undefined && offset < mostBytes) {
    const wanted = artifact?.version ?? version;
    const piece: Piece = await calls.read<Piece>('get_artifact', {
      ...argsOf(ref),
      name,
      offset,
      maxBytes: pieceBytes,
      // Later pieces are of the version that the first one was of.
      ...(wanted === undefined ? {} : { version: wanted }),
    });
    artifact = piece.artifact;
    isText = piece.text !== undefined;
    pieces.push(
      piece.text !== undefined
        ? new TextEncoder().encode(piece.text)
        : Uint8Array.from(atob(piece.data ?? ''), (sign) => sign.charCodeAt(0)),
    );
    offset = piece.nextOffset;
  }
  if (artifact === undefined) throw new Error('The file has no content.');
  const bytes = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const one of pieces) {
    bytes.set(one, at);
    at += one.length;
  }
  return {
    artifact,
    bytes,
    text: isText ? new TextDecoder().decode(bytes) : undefined,
    isWhole: offset === undefined,
    base64: () => base64Of(bytes),
  };
}
