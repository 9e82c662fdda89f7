import { useEffect } from 'preact/hooks';
import type { Part } from '../../model/event.ts';
import { preview } from '../../model/text.ts';
import { isImage } from '../model/images.ts';
import { isCut, type Row } from '../model/rows.ts';
import { plainName } from '../model/text.ts';
import { clockTime, dayOf, fullTime } from '../model/time.ts';
import { ArtifactView } from './artifact.tsx';
import { AuthorName, Avatar } from './author.tsx';
import { EventMenu } from './event-menu.tsx';
import { JsonView, LongText } from './long-text.tsx';
import { Markdown } from './markdown.tsx';
import { usePage } from './page-context.ts';
import { ToolCallView } from './tool-call.tsx';

/** Characters of a cut event that are fetched without being asked for. */
const littleMore = 30_000;
/** A message that follows another of its author so soon stands under one name with it. */
const togetherMs = 5 * 60_000;

/** One entry of the conversation. */
export function EventRow({ row, before }: { row: Row; before: Row | undefined }) {
  const page = usePage();
  const { event, parts, calls } = row;
  const where = page.where.value;
  const day = dayOf(event.timestamp, where);
  const isNewDay = before === undefined || dayOf(before.event.timestamp, where) !== day;
  const isTogether =
    !isNewDay &&
    before?.event.author === event.author &&
    before.event.invocationId === event.invocationId &&
    Date.parse(event.timestamp) - Date.parse(before.event.timestamp) < togetherMs;
  const isUser = event.author === 'user';
  return (
    <>
      {isNewDay && <div class="day">{day}</div>}
      <div
        class={`row ${isUser ? 'is-user' : ''} ${isTogether ? 'is-together' : ''} ${event.hidden ? 'is-hidden' : ''}`}
      >
        {isTogether ? <span class="avatar-gap" /> : <Avatar author={event.author} />}
        <div class="row-body">
          <div class="row-head">
            {!isTogether && <AuthorName author={event.author} />}
            {event.hidden && <span class="chip">hidden</span>}
            {event.branch !== undefined && !isTogether && <span class="chip">{plainName(event.branch)}</span>}
            <time dateTime={event.timestamp} title={fullTime(event.timestamp, where)}>
              {clockTime(event.timestamp, where)}
            </time>
            <EventMenu event={event} />
          </div>
          {parts.map((part, i) => (
            <PartView key={i} part={part} />
          ))}
          {calls.map((view, i) => (
            <ToolCallView key={view.call.id ?? i} view={view} />
          ))}
          <Notes row={row} />
          <CutNote row={row} />
        </div>
      </div>
    </>
  );
}

function PartView({ part }: { part: Part }) {
  if (part.text !== undefined)
    return part.thought === true ? (
      <details class="thought">
        <summary>Reasoning</summary>
        <Markdown text={part.text} />
      </details>
    ) : (
      <Markdown text={part.text} />
    );
  if (part.inlineData !== undefined) {
    const { mimeType, data, displayName } = part.inlineData;
    return <InlineData mimeType={mimeType} data={data} name={displayName ?? mimeType} />;
  }
  if (part.fileData !== undefined)
    return (
      <p class="note">
        File: <bdi>{plainName(part.fileData.displayName ?? part.fileData.fileUri)}</bdi>
      </p>
    );
  if (part.executableCode !== undefined)
    return <LongText text={part.executableCode.code} label={`Code, ${part.executableCode.language ?? ''}`} />;
  if (part.codeExecutionResult !== undefined)
    return <LongText text={part.codeExecutionResult.output ?? ''} label="Output of the code" />;
  if (part.functionResponse !== undefined)
    return (
      <details class="tool-call">
        <summary>
          <span class="tool-name">{plainName(part.functionResponse.name)}</span>
          <span class="tool-state">answer</span>
        </summary>
        <JsonView value={part.functionResponse.response ?? {}} label="Answer" />
      </details>
    );
  return undefined;
}

function InlineData({ mimeType, data, name }: { mimeType: string; data: string; name: string }) {
  const isWhole = /^[A-Za-z0-9+/_-]*={0,2}$/.test(data);
  if (!isImage(mimeType) || !isWhole) return <p class="note">Data: {plainName(name)}</p>;
  return <img class="inline-image" src={`data:${mimeType};base64,${data}`} alt={plainName(name)} />;
}

/** What an event does besides what it says. */
function Notes({ row }: { row: Row }) {
  const { actions, errorCode, errorMessage, interrupted } = row.event;
  const delta = Object.entries(actions?.stateDelta ?? {});
  return (
    <>
      {(errorCode !== undefined || errorMessage !== undefined) && (
        <p class="problem" dir="auto">
          <strong>Error</strong> {plainName(errorCode ?? '')} {errorMessage ?? ''}
        </p>
      )}
      {interrupted === true && <p class="note">Interrupted</p>}
      {actions?.transferAgent !== undefined && (
        <p class="note">
          Hands over to <AuthorName author={actions.transferAgent} />
        </p>
      )}
      {actions?.escalate === true && <p class="note">Gives the task back</p>}
      {delta.length > 0 && (
        <details class="state-note">
          <summary>
            Sets state: <bdi>{plainName(preview(delta.map(([key]) => key).join(', '), 200))}</bdi>
          </summary>
          <JsonView value={actions?.stateDelta} label="Changes of the state" />
        </details>
      )}
      {Object.entries(actions?.artifactDelta ?? {}).map(([name, version]) => (
        <ArtifactView key={name} name={name} version={version} />
      ))}
    </>
  );
}

/** Long values come with the event when it is looked at; very long ones when somebody asks. */
function CutNote({ row }: { row: Row }) {
  const page = usePage();
  const cut = isCut(row.event);
  const missing = cut ? missingOf(row) : 0;
  const load = () => page.opened.value?.readWhole(row.event.id);
  useEffect(() => {
    if (cut && missing <= littleMore) void load()?.catch(() => {});
  }, [cut, row.event.id]);
  if (!cut || missing <= littleMore) return undefined;
  return (
    <button type="button" class="quiet" onClick={() => page.attempt(async () => void (await load()))}>
      Show all ({missing.toLocaleString()} more characters)
    </button>
  );
}

function missingOf(row: Row): number {
  const numbers = JSON.stringify(row.event).matchAll(/…\[(\d+) more characters;/g);
  return [...numbers].reduce((sum, [, number]) => sum + Number(number), 0);
}
