import { useEffect, useMemo, useState } from 'preact/hooks';
import { preview } from '../../model/text.ts';
import type { OpenSession } from '../live/open-session.ts';
import { type Change, changesOf, type Entry, stateAt } from '../model/state-history.ts';
import { plainName } from '../model/text.ts';
import { EventSlider, Reading } from './event-slider.tsx';
import { JsonView } from './long-text.tsx';
import { VirtualList } from './virtual-list.tsx';

/** The state at any event, and what each event changed in it. */
export function StateView({ opened }: { opened: OpenSession }) {
  const events = opened.events.value;
  const state = opened.session.value?.state;
  const changes = useMemo(() => changesOf(events), [events]);
  const [index, setIndex] = useState<number | undefined>();
  useEffect(() => void opened.loadAll().catch(() => {}), []);
  const last = events.length - 1;
  const at = Math.min(index ?? last, last);
  const entries = useMemo(() => stateAt(state, changes, at), [state, changes, at]);
  const here = changes.filter((change) => change.index === at);
  return (
    <div class="state-view">
      <Reading isComplete={opened.complete.value} />
      {events.length > 0 && <EventSlider events={events} index={at} onIndex={setIndex} />}
      <div class="state-columns">
        <section aria-label={at === last ? 'State now' : 'State after this event'} class="state-now">
          <h2>{at === last ? 'State now' : 'State after this event'}</h2>
          {/* A list of its own scrolls beside the changes. */}
          <div class="scroll-view" tabIndex={0} role="group" aria-label="Keys">
            {entries.length === 0 && <p class="note">The state is empty.</p>}
            <dl>
              {entries.map((entry) => (
                <EntryView key={entry.key} entry={entry} change={here.find(({ key }) => key === entry.key)} />
              ))}
            </dl>
          </div>
        </section>
        <section aria-label="Changes" class="state-changes">
          <h2>
            Changes <span class="note">{changes.length.toLocaleString()}</span>
          </h2>
          {changes.length === 0 ? (
            <p class="note">No event changes the state.</p>
          ) : (
            <VirtualList
              items={changes}
              keyOf={({ eventId, key }) => `${eventId} ${key}`}
              estimate={56}
              label="Changes"
              startsAtEnd
              render={(change) => (
                <button
                  type="button"
                  class="change"
                  aria-pressed={change.index === at}
                  onClick={() => setIndex(change.index)}
                >
                  <bdi class="key">{plainName(change.key)}</bdi>{' '}
                  <span class="note">event {change.index + 1}</span>
                  <span class="values" dir="auto">
                    {change.isFirst ? '' : <del>{short(change.before)}</del>} <ins>{short(change.after)}</ins>
                  </span>
                </button>
              )}
            />
          )}
        </section>
      </div>
    </div>
  );
}

function EntryView({ entry, change }: { entry: Entry; change: Change | undefined }) {
  const { key, value, setBy, isUnknown } = entry;
  const isLong = typeof value === 'object' && value !== null;
  return (
    <div class={change === undefined ? 'entry' : 'entry is-changed'}>
      <dt>
        <bdi>{plainName(key)}</bdi>
        {change !== undefined && <span class="chip">{change.isFirst ? 'set here' : 'changed here'}</span>}
        {setBy === undefined && !isUnknown && <span class="chip">set by no event</span>}
      </dt>
      <dd>
        {isUnknown ? (
          <span class="note">Only later events set it; what it was before is not recorded.</span>
        ) : isLong ? (
          <JsonView value={value} label={plainName(key)} />
        ) : (
          <code dir="auto">{plainName(String(JSON.stringify(value) ?? value))}</code>
        )}
        {change !== undefined && !change.isFirst && (
          <span class="note">
            {' '}
            before: <code>{short(change.before)}</code>
          </span>
        )}
      </dd>
    </div>
  );
}

function short(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return plainName(preview(text, 120));
}
