import type { Event, Part } from './event.ts';
import { cutEnd } from './text.ts';

/** How much of an event a line shows, and how its reader gets the rest. */
export interface LineOptions {
  /** Characters of one text, call or answer. */
  most: number;
  /** Such as `get_event e12-482139073 has all`. */
  rest: string;
}

/**
 * What an event says in as few tokens as can be: texts as they are, calls and answers in one line each. Later lines
 * of a text are indented, so that none of them looks like the line of another event.
 */
export function eventText(event: Event, options: LineOptions): string {
  const said = (event.content?.parts ?? [])
    .map((part) => partText(part, options))
    .filter((text) => text !== '');
  const error = event.errorMessage ?? event.errorCode;
  if (error !== undefined) said.push(`[error] ${cut(error, options)}`);
  if (said.length === 0) said.push(...doneText(event, options));
  return said.join('\n').replace(/\r\n?|[\n\u2028\u2029]/g, '\n ');
}

function partText(part: Part, options: LineOptions): string {
  const json = (value: unknown) => (value === undefined ? '' : cut(JSON.stringify(value), options));
  if (part.text !== undefined)
    return `${part.thought === true ? '[thought] ' : ''}${cut(part.text.trimEnd(), options)}`;
  const { functionCall, functionResponse, executableCode, codeExecutionResult, inlineData, fileData } = part;
  if (functionCall !== undefined) return `→ ${functionCall.name}(${json(functionCall.args)})`;
  if (functionResponse !== undefined) return `← ${functionResponse.name}: ${json(functionResponse.response)}`;
  if (executableCode !== undefined) return `→ code: ${cut(executableCode.code, options)}`;
  if (codeExecutionResult !== undefined)
    return `← ${codeExecutionResult.outcome}: ${cut(codeExecutionResult.output ?? '', options)}`;
  if (inlineData !== undefined) return `[${inlineData.mimeType}] ${inlineData.displayName ?? ''}`.trimEnd();
  if (fileData !== undefined) return `[file] ${fileData.fileUri}`;
  return '';
}

/** What an event without content did. */
function doneText({ actions = {}, customMetadata }: Event, options: LineOptions): string[] {
  const { stateDelta, transferAgent, artifactDelta, ...others } = actions;
  const json = (value: object) => cut(JSON.stringify(value), options);
  return [
    ...(stateDelta === undefined ? [] : [`[state] ${json(stateDelta)}`]),
    ...(transferAgent === undefined ? [] : [`[hands over to] ${transferAgent}`]),
    ...(artifactDelta === undefined ? [] : [`[artifacts] ${json(artifactDelta)}`]),
    ...(Object.keys(others).length === 0 ? [] : [`[actions] ${json(others)}`]),
    ...(customMetadata === undefined ? [] : [`[metadata] ${json(customMetadata)}`]),
  ];
}

function cut(text: string, { most, rest }: LineOptions): string {
  if (text.length <= most + rest.length + 16) return text;
  const kept = cutEnd(text, most);
  return `${kept}…[+${text.length - kept.length} characters; ${rest}]`;
}
