import type { Event, EventActions, Part } from '../model/event.ts';
import { isObject } from '../model/json.ts';
import { sizeOf } from '../model/sizes.ts';
import { jsonLine, printable, printableLines, timeOf } from './printable.ts';

/**
 * An event as people read it: who and when, then what was said and done, indented, so that no text can pass
 * for another event. Nothing is cut.
 */
export function eventLines(event: Event): string[] {
  const hidden = event.hideReason === undefined ? '(hidden)' : `(hidden: ${printable(event.hideReason)})`;
  const head = [printable(event.author), timeOf(event.timestamp), ...(event.hidden === true ? [hidden] : [])];
  return [head.join('  '), ...deedsOf(event).map((line) => `  ${line}`)];
}

/** What was said and done in an event, line by line. */
export const deedsOf = (event: Event): string[] => [
  ...(event.content?.parts ?? []).flatMap(partLines),
  ...spokenLines('heard', event.inputTranscription),
  ...spokenLines('said', event.outputTranscription),
  ...actionLines(event.actions ?? {}),
  ...errorLines(event),
];

function partLines(part: Part): string[] {
  const { functionCall: call, functionResponse: answer, inlineData, fileData } = part;
  if (part.text !== undefined)
    return printableLines(part.text).map((line) => (part.thought === true ? `(thinking) ${line}` : line));
  if (call !== undefined) return [`calls ${printable(call.name)} ${jsonLine(call.args ?? {})}`];
  if (answer !== undefined) return [`${printable(answer.name)} answers ${jsonLine(answer.response ?? {})}`];
  if (inlineData !== undefined) {
    const bytes = Buffer.byteLength(inlineData.data, 'base64');
    const named = inlineData.displayName === undefined ? '' : ` ${printable(inlineData.displayName)}`;
    return [`[data${named}: ${printable(inlineData.mimeType)}, ${sizeOf(bytes)}]`];
  }
  if (fileData !== undefined) return [`[file: ${printable(fileData.fileUri)}]`];
  if (part.executableCode !== undefined)
    return [
      `runs code${languageOf(part.executableCode.language)}`,
      ...printableLines(part.executableCode.code),
    ];
  if (part.codeExecutionResult !== undefined)
    return [
      `code ended: ${printable(part.codeExecutionResult.outcome)}`,
      ...printableLines(part.codeExecutionResult.output ?? ''),
    ];
  return [];
}

const languageOf = (language: string | undefined): string =>
  language === undefined ? '' : ` (${printable(language)})`;

function spokenLines(verb: string, transcription: unknown): string[] {
  const text = isObject(transcription) ? transcription.text : undefined;
  return typeof text === 'string' ? printableLines(text).map((line) => `(${verb}) ${line}`) : [];
}

function actionLines({ stateDelta, artifactDelta, transferAgent, escalate }: EventActions): string[] {
  return [
    ...(isEmpty(stateDelta) ? [] : [`sets state ${jsonLine(stateDelta)}`]),
    ...Object.entries(artifactDelta ?? {}).map(
      ([name, version]) => `saves artifact ${printable(name)}, version ${version}`,
    ),
    ...(transferAgent === undefined ? [] : [`hands over to ${printable(transferAgent)}`]),
    ...(escalate === true ? ['escalates'] : []),
  ];
}

const isEmpty = (value: object | undefined): boolean => Object.keys(value ?? {}).length === 0;

function errorLines({ errorCode, errorMessage, interrupted }: Event): string[] {
  const said = [errorCode, errorMessage].filter((text) => text !== undefined && text !== '').join(': ');
  if (said !== '') return printableLines(`error: ${said}`);
  return interrupted === true ? ['(interrupted)'] : [];
}
