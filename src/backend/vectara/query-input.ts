import { invalidArgument } from '../../errors.ts';
import { isBase64 } from '../../model/base64.ts';
import type { Content, Part } from '../../model/event.ts';
import type { JsonObject } from '../../model/json.ts';
import { cutEnd } from '../../model/text.ts';

export interface InputOptions {
  stream: boolean;
  /** `start` or an event id: joins the run if there is one (docs/protocols/vectara.md, "Talking to an agent"). */
  since?: string | undefined;
  behavior?: string | undefined;
  maxFileBytes: number;
}

/**
 * The request body for a message: JSON, or a form when it has files (docs/protocols/vectara.md, "Talking to an
 * agent").
 * @throws SessionError INVALID_ARGUMENT for parts that a message to an agent cannot contain
 */
export function messageBody(message: Content, options: InputOptions): JsonObject | FormData {
  const messages: JsonObject[] = [];
  const files: { name: string; blob: Blob }[] = [];
  for (const part of message.parts) {
    if (part.inlineData !== undefined) files.push(fileOf(part.inlineData, files.length, options));
    else messages.push(messageOf(part));
  }
  if (messages.length + files.length === 0)
    throw invalidArgument('The message is empty.', 'Give a text or a file.');
  return inputBody(messages, files, options);
}

export function inputBody(
  messages: readonly JsonObject[],
  files: readonly { name: string; blob: Blob }[],
  options: InputOptions,
): JsonObject | FormData {
  const { since, behavior, stream } = options;
  if (files.length === 0)
    return {
      type: 'input_message',
      messages,
      stream_response: stream,
      ...(since === undefined ? {} : { since }),
      ...(behavior === undefined ? {} : { behavior }),
    };
  const form = new FormData();
  if (messages.length > 0) form.append('messages', JSON.stringify(messages));
  form.append('stream_response', String(stream));
  if (since !== undefined) form.append('since', since);
  if (behavior !== undefined) form.append('behavior', behavior);
  for (const { name, blob } of files) form.append('files', blob, name);
  return form;
}

function messageOf(part: Part): JsonObject {
  if (part.text !== undefined) return { type: 'text', content: part.text };
  if (part.functionResponse !== undefined)
    throw invalidArgument(
      'A message that answers tool calls cannot contain other parts.',
      'Send only functionResponse parts, one for every open call, or use submit_tool_outputs.',
    );
  throw invalidArgument(
    'A message to a Vectara agent can contain only text and files.',
    'Give parts with text, or with inlineData for a file.',
  );
}

function fileOf(
  data: NonNullable<Part['inlineData']>,
  index: number,
  options: InputOptions,
): { name: string; blob: Blob } {
  if (!isBase64(data.data))
    throw invalidArgument(
      'The data of a file is not base64.',
      'Encode the bytes with the standard alphabet and padding.',
    );
  const bytes = Buffer.from(data.data, 'base64');
  if (bytes.length > options.maxFileBytes)
    throw invalidArgument(
      `A file has ${bytes.length} bytes, more than the ${options.maxFileBytes} that this server uploads.`,
      'Send a smaller file, or ask the operator to raise the limit for artifacts.',
    );
  // A file name goes into a header of the form: no folders, quotes or control characters.
  const name = cutEnd((data.displayName ?? '').replace(/[\\/"\p{Cc}]/gu, '_'), 200);
  return {
    name: /^[. _]*$/.test(name) ? `file-${index + 1}` : name,
    blob: new Blob([new Uint8Array(bytes)], { type: data.mimeType }),
  };
}
