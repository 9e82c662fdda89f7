import { invalidArgument, quote, type SessionError } from '../errors.ts';
import type { Content, Part } from '../model/event.ts';

type InlineData = NonNullable<Part['inlineData']>;

/** A file as a chat-completions endpoint takes it: as text, or as data of a kind that models read. */
export type Playable = { kind: 'text'; text: string } | { kind: 'file'; mediaType: string; data: string };

/** How the bytes of each kind begin. The kinds are those that chat-completions endpoints have in common. */
const beginnings: Record<string, (bytes: Buffer) => boolean> = {
  'image/png': (bytes) => bytes.subarray(0, 8).equals(Buffer.from('89504e470d0a1a0a', 'hex')),
  'image/jpeg': (bytes) => bytes.subarray(0, 3).equals(Buffer.from('ffd8ff', 'hex')),
  'image/gif': (bytes) => /^GIF8[79]a/.test(bytes.toString('latin1', 0, 6)),
  'image/webp': (bytes) => /^RIFF.{4}WEBP/s.test(bytes.toString('latin1', 0, 12)),
  'audio/wav': (bytes) => /^RIFF.{4}WAVE/s.test(bytes.toString('latin1', 0, 12)),
  'audio/mpeg': (bytes) => /^(ID3|\xff[\xe0-\xff])/.test(bytes.toString('latin1', 0, 3)),
  'application/pdf': (bytes) => bytes.toString('latin1', 0, 5) === '%PDF-',
};
const aliases: Record<string, string> = {
  'image/jpg': 'image/jpeg',
  'audio/x-wav': 'audio/wav',
  'audio/wave': 'audio/wav',
  'audio/mp3': 'audio/mpeg',
};

/** The file in the form that endpoints accept; undefined for other types, or when the bytes are of another type. */
export function playable({ mimeType, data }: InlineData): Playable | undefined {
  const given = mimeType.toLowerCase().split(';')[0]?.trim() ?? '';
  const type = aliases[given] ?? given;
  if (!/^[A-Za-z0-9+/_-]+=*$/.test(data)) return undefined;
  const bytes = Buffer.from(data, 'base64');
  if (type.startsWith('text/')) return { kind: 'text', text: bytes.toString('utf8') };
  const begins = Object.hasOwn(beginnings, type) ? beginnings[type] : undefined;
  return begins?.(bytes) ? { kind: 'file', mediaType: type, data: bytes.toString('base64') } : undefined;
}

/** Why a message cannot be played to a model, if it cannot. */
export function mediaFault(message: Content): SessionError | undefined {
  const faulty = message.parts.find((part) => part.inlineData && playable(part.inlineData) === undefined);
  if (faulty?.inlineData === undefined) return undefined;
  return invalidArgument(
    `The agent does not accept this file of type ${quote(faulty.inlineData.mimeType)}.`,
    `Send base64 data that matches its mimeType, one of ${Object.keys(beginnings).join(', ')} or text/*. Store other files with save_artifact.`,
  );
}
