import { createHash, type Hash } from 'node:crypto';
import * as z from 'zod';
import type { ArtifactContent } from '../backend/types.ts';
import { SessionError } from '../errors.ts';
import { artifactSchema } from '../model/artifact.ts';
import { isBase64 } from '../model/base64.ts';
import { type Event, eventSchema } from '../model/event.ts';
import { idFault } from '../model/ids.ts';
import { incomingFault } from '../model/incoming.ts';
import { once } from '../model/once.ts';
import { type Session, sessionSchema } from '../model/session.ts';
import { cutEnd } from '../model/text.ts';
import { parseTime, toTime } from '../model/time.ts';
import { badLine, type NumberedLine } from './numbered-lines.ts';

/** What follows the first line, so that an import knows before it begins whether its backend can hold it. */
const contentsSchema = () =>
  z.object({
    events: z.int().min(0),
    /** The number of names, not of versions. */
    artifacts: z.int().min(0),
  });
export type Contents = z.infer<ReturnType<typeof contentsSchema>>;

/** The number of lines of each kind before the last line. */
const countsSchema = () =>
  z.object({ session: z.literal(1), event: z.int().min(0), artifact: z.int().min(0) });

/**
 * A line of an export. An export has the session, its events in order of acceptance with the hidden ones, all versions
 * of its artifacts, and the end. The older format 1 has neither `contents` nor an end. docs/export-import.md describes
 * both.
 */
const lineSchema = once(() =>
  z.discriminatedUnion('kind', [
    z.object({
      kind: z.literal('session'),
      format: z.literal([1, 2]),
      contents: contentsSchema().optional(),
      session: sessionSchema(),
      openToolCalls: z.array(z.string()).optional(),
    }),
    z.object({ kind: z.literal('event'), event: eventSchema() }),
    z.object({ kind: z.literal('artifact'), artifact: artifactSchema(), data: z.string() }),
    z.object({ kind: z.literal('end'), counts: countsSchema(), sha256: z.string() }),
  ]),
);
type Line = z.infer<ReturnType<typeof lineSchema>>;

/** Writes an export, and counts and hashes its lines for the last one. */
export function lineWriter(write: (text: string) => Promise<void>) {
  const hash = createHash('sha256');
  const counts = { session: 1 as const, event: 0, artifact: 0 };
  const line = async (value: Line) => {
    const text = `${JSON.stringify(value)}\n`;
    hash.update(text);
    await write(text);
  };
  return {
    counts: (): Readonly<typeof counts> => counts,
    session: (session: Session, contents: Contents, openToolCalls?: string[]) =>
      line({ kind: 'session', format: 2, contents, session, openToolCalls }),
    async event(event: Event) {
      await line({ kind: 'event', event });
      counts.event += 1;
    },
    async artifact({ artifact, data }: ArtifactContent) {
      await line({ kind: 'artifact', artifact, data: data.toString('base64') });
      counts.artifact += 1;
    },
    end: () => line({ kind: 'end', counts, sha256: hash.copy().digest('hex') }),
  };
}

export interface Header {
  session: Session;
  /** Undefined in format 1. */
  contents: Contents | undefined;
  /** Ids of the tool calls that were open; undefined where only the events tell. */
  openToolCalls: string[] | undefined;
}

/** The content of a line after the first. */
export type Entry = { kind: 'event'; event: Event } | ({ kind: 'artifact' } & ArtifactContent);

/**
 * Reads an export line by line. Checks each line, and at the end that none is missing.
 * @throws SessionError INVALID_ARGUMENT that names the line
 */
export function lineReader() {
  const hash = createHash('sha256');
  const counts = { event: 0, artifact: 0 };
  let contents: Contents | undefined;
  let ended = false;
  let last = 0;
  return {
    /** The first line. */
    first(numbered: NumberedLine): Header {
      const line = parseLine(numbered);
      const { number } = numbered;
      if (line.kind !== 'session')
        throw badLine(number, 'is not the first line of an export', 'Use a file that export wrote.');
      if (line.format === 2 && line.contents === undefined) throw badLine(number, 'has no contents');
      const { createTime } = line.session;
      const session = { ...line.session, createTime: checkTime('session.createTime', createTime, number) };
      hash.update(numbered.text).update('\n');
      last = number;
      contents = line.contents;
      return { session, contents, openToolCalls: line.openToolCalls };
    },
    empty(): never {
      throw badLine(1, 'is missing: the input is empty', 'Use a file that export wrote.');
    },
    /** Any other line; undefined for the last one. */
    next(numbered: NumberedLine): Entry | undefined {
      const { number, text } = numbered;
      last = number;
      if (ended) throw badLine(number, 'comes after the end of the export');
      const line = parseLine(numbered);
      if (line.kind === 'session')
        throw badLine(number, 'begins another session', 'Import sessions one by one.');
      if (line.kind === 'end') {
        checkEnd(line, number, counts, hash);
        ended = true;
        return undefined;
      }
      hash.update(text).update('\n');
      counts[line.kind] += 1;
      // An artifact has a line for each version, so only zero can be exceeded.
      const surplus =
        line.kind === 'event' ? counts.event > (contents?.events ?? counts.event) : contents?.artifacts === 0;
      if (surplus) throw badLine(number, `is one ${line.kind} more than line 1 announces`);
      return line.kind === 'event'
        ? { kind: 'event', event: checkedEvent(line.event, number) }
        : { kind: 'artifact', ...contentOf(line, number) };
    },
    /** Checks that the last line was there. Call it at the end of the input. */
    end(): void {
      if (contents !== undefined && !ended)
        throw badLine(
          last + 1,
          'is missing: the export was cut off',
          'Export the session again, and let the export end.',
        );
    },
  };
}

/** The nesting that an argument of a call may have, and that of the event or session around it. */
const lineNesting = 110;

function parseLine({ number, text }: NumberedLine): Line {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw badLine(number, 'is not JSON');
  }
  const fault = incomingFault(json, lineNesting);
  if (fault !== undefined) throw badLine(number, `cannot be imported: ${fault.path} ${fault.what}`);
  const parsed = lineSchema().safeParse(json);
  if (parsed.success) return parsed.data;
  const where = parsed.error.issues[0]?.path.filter((part) => typeof part === 'string').join('.');
  throw badLine(
    number,
    where
      ? `is not a line of an export: ${cutEnd(where, 80)} is missing or wrong`
      : 'is not a line of an export',
  );
}

function checkEnd(
  line: Extract<Line, { kind: 'end' }>,
  number: number,
  counts: Readonly<Record<'event' | 'artifact', number>>,
  hash: Hash,
): void {
  for (const kind of ['event', 'artifact'] as const)
    if (line.counts[kind] !== counts[kind])
      throw badLine(number, `announces ${line.counts[kind]} ${kind} lines, but the file has ${counts[kind]}`);
  if (hash.digest('hex') !== line.sha256)
    throw badLine(number, 'has a sha256 that does not match the lines before it: the file was changed');
}

function checkedEvent(event: Event, number: number): Event {
  for (const field of ['id', 'author', 'invocationId'] as const) {
    const fault = idFault(event[field]);
    if (fault !== undefined) throw badLine(number, `is wrong: event.${field} ${fault}`);
  }
  return { ...event, timestamp: checkTime('event.timestamp', event.timestamp, number) };
}

function checkTime(field: string, value: string, number: number): string {
  try {
    return toTime(parseTime(field, value));
  } catch (error) {
    throw error instanceof SessionError
      ? badLine(number, `is wrong: ${field} is not an RFC 3339 time`)
      : error;
  }
}

/** The artifact of a line. */
function contentOf(line: Extract<Line, { kind: 'artifact' }>, number: number): ArtifactContent {
  const data = Buffer.from(line.data, 'base64');
  if (!isBase64(line.data)) throw badLine(number, 'is damaged: the data of the artifact is not base64');
  const { artifact } = line;
  if (artifact.sizeBytes !== data.length)
    throw badLine(
      number,
      `is damaged: the artifact has ${data.length} bytes instead of ${artifact.sizeBytes}`,
    );
  const sha256 = createHash('sha256').update(data).digest('hex');
  if (artifact.sha256 !== undefined && artifact.sha256 !== sha256)
    throw badLine(number, 'is damaged: the sha256 of the artifact does not match its data');
  if (artifact.version < 0) throw badLine(number, 'is wrong: artifact.version is below 0');
  return { artifact, data };
}
