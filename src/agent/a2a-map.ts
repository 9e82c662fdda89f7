import type { Part as A2aPart, Message } from '@a2a-js/sdk';
import { Role } from '@a2a-js/sdk';
import type { Part } from '../model/event.ts';

/** A message of the user to a remote agent, in A2A 1.0 (a2a-protocol.org/v1.0.0/specification). */
export function toMessage(
  parts: readonly Part[],
  ids: { messageId: string; contextId: string; taskId: string },
): Message {
  return {
    ...ids,
    role: Role.ROLE_USER,
    parts: parts.flatMap(toA2aPart),
    metadata: undefined,
    extensions: [],
    referenceTaskIds: [],
  };
}

/** A part in A2A; a thought is none, and what A2A has no form for becomes structured data. */
export function toA2aPart(part: Part): A2aPart[] {
  const made = (content: NonNullable<A2aPart['content']>, mediaType = '', filename = ''): A2aPart[] => [
    { content, metadata: undefined, filename, mediaType },
  ];
  if (part.thought === true) return [];
  if (part.text !== undefined) return made({ $case: 'text', value: part.text }, 'text/plain');
  if (part.inlineData !== undefined) {
    const { data, mimeType, displayName } = part.inlineData;
    return made({ $case: 'raw', value: Buffer.from(data, 'base64') }, mimeType, displayName);
  }
  if (part.fileData !== undefined) {
    const { fileUri, mimeType, displayName } = part.fileData;
    return made({ $case: 'url', value: fileUri }, mimeType, displayName);
  }
  return made({ $case: 'data', value: { ...part } }, 'application/json');
}

/** Parts of a remote agent as parts of an event. Structured data becomes its JSON text. */
export function fromParts(parts: readonly A2aPart[] | undefined): Part[] {
  return (parts ?? []).flatMap(({ content, mediaType, filename, metadata }): Part[] => {
    const type = mediaType === '' ? 'application/octet-stream' : mediaType;
    const displayName = filename === '' ? {} : { displayName: filename };
    switch (content?.$case) {
      case 'text':
        if (content.value === '') return [];
        return [{ text: content.value, ...(isThought(metadata) ? { thought: true } : {}) }];
      case 'raw':
        return [
          {
            inlineData: {
              mimeType: type,
              data: Buffer.from(content.value).toString('base64'),
              ...displayName,
            },
          },
        ];
      case 'url':
        return [{ fileData: { fileUri: content.value, mimeType: type, ...displayName } }];
      case 'data':
        return [{ text: JSON.stringify(content.value) }];
      default:
        return [];
    }
  });
}

/** ADK marks what its agent only thinks in the metadata of the part (google/adk-js, a2a/part_converter_utils). */
const isThought = (metadata: A2aPart['metadata']): boolean => metadata?.adk_thought === true;

/** Neighbouring texts as one, as they were before they came in pieces. */
export function mergeText(parts: readonly Part[]): Part[] {
  const merged: Part[] = [];
  for (const part of parts) {
    const last = merged.at(-1);
    if (last?.text !== undefined && part.text !== undefined && last.thought === part.thought)
      merged[merged.length - 1] = { ...last, text: last.text + part.text };
    else merged.push(part);
  }
  return merged;
}
