import { useEffect, useMemo } from 'preact/hooks';
import type { OpenSession } from '../live/open-session.ts';
import { rowsOf } from '../model/rows.ts';
import { Composer } from './composer.tsx';
import { EventRow } from './event-row.tsx';
import { usePage } from './page-context.ts';
import { VirtualList } from './virtual-list.tsx';

/** The events of a session as a conversation. */
export function Conversation({ opened }: { opened: OpenSession }) {
  const page = usePage();
  const events = opened.events.value;
  const rows = useMemo(() => rowsOf(events), [events]);
  const target = page.target.value;
  // An answer stands with its call, so the entry to go to is the call's.
  const at = useMemo(() => {
    if (target === undefined || rows.some(({ key }) => key === target.key)) return target;
    const caller = rows.find(({ calls }) => calls.some(({ answer }) => answer?.eventId === target.key));
    return caller === undefined ? undefined : { key: caller.key };
  }, [target, rows]);
  // What is looked for may be earlier than what has been read.
  const isMissing = target !== undefined && at === undefined && !opened.complete.value;
  useEffect(() => {
    if (isMissing) void opened.loadAll().catch(() => {});
  }, [isMissing]);
  const speech = opened.speech.value;
  if (rows.length === 0)
    return (
      <div class="conversation">
        <p class="empty">No events yet. They appear here as they are appended, by whichever agent.</p>
        <Composer />
      </div>
    );
  return (
    <div class="conversation">
      {!opened.complete.value && opened.events.value.length > 0 && (
        <p class="progress" role="status">
          {page.host === undefined ? 'Reading earlier events…' : 'Earlier events are read as you scroll up.'}
        </p>
      )}
      <VirtualList
        items={rows}
        keyOf={(row) => row.key}
        estimate={72}
        label="Conversation"
        startsAtEnd
        target={at}
        onNearStart={() => void opened.loadEarlier().catch(() => {})}
        render={(row, index) => <EventRow row={row} before={rows[index - 1]} />}
      />
      {speech !== '' && (
        <div class="speech" aria-live="polite" dir="auto">
          {speech}
        </div>
      )}
      <Composer />
    </div>
  );
}
