import { useEffect, useRef } from 'preact/hooks';
import { counted } from '../../model/plural.ts';
import type { OpenSession } from '../live/open-session.ts';
import { plainName } from '../model/text.ts';
import { ago, fullTime } from '../model/time.ts';
import { isLive, turnOf } from '../model/turn.ts';
import { Conversation } from './conversation.tsx';
import { Failure } from './failure.tsx';
import { FamilyView } from './family-view.tsx';
import { FilesView } from './files-view.tsx';
import { usePage, type ViewName } from './page-context.ts';
import { titleOf } from './questions.ts';
import { SessionMenu } from './session-menu.tsx';
import { StateView } from './state-view.tsx';
import { TimeView } from './time-view.tsx';

const views: readonly { name: ViewName; title: string; needs: string }[] = [
  { name: 'conversation', title: 'Conversation', needs: 'list_events' },
  { name: 'time', title: 'Time', needs: 'list_events' },
  { name: 'state', title: 'State', needs: 'get_session' },
  { name: 'files', title: 'Files', needs: 'list_artifacts' },
  { name: 'family', title: 'Forks', needs: 'get_session' },
];

/** A session: what it is, and its views. */
export function SessionView({ opened }: { opened: OpenSession }) {
  const page = usePage();
  const state = opened.state.value;
  const current = page.view.value;
  const listed = views.filter(({ needs }) => page.calls.has(needs));
  return (
    <main class="session" aria-label="Session">
      <SessionHead opened={opened} />
      {listed.length > 1 && (
        <div class="tabs" role="tablist" aria-label="Views of the session">
          {listed.map(({ name, title }) => (
            <button
              key={name}
              type="button"
              role="tab"
              id={`tab-${name}`}
              aria-selected={name === current}
              aria-controls="view"
              tabIndex={name === current ? 0 : -1}
              onClick={() => {
                page.view.value = name;
              }}
              onKeyDown={(event) => {
                const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
                if (step === undefined) return;
                const at = listed.findIndex((view) => view.name === name) + step;
                const next = listed[(at + listed.length) % listed.length];
                if (next === undefined) return;
                page.view.value = next.name;
                document.getElementById(`tab-${next.name}`)?.focus();
              }}
            >
              {title}
            </button>
          ))}
        </div>
      )}
      {state === 'failed' && <Failure error={opened.failure.value} />}
      <div
        class="view"
        id="view"
        {...(listed.length > 1 ? { role: 'tabpanel', 'aria-labelledby': `tab-${current}` } : {})}
      >
        {state === 'gone' ? (
          <p class="empty">This session is not there any more: it was deleted, or it has expired.</p>
        ) : state === 'reading' && opened.events.value.length === 0 ? (
          <p class="note" role="status">
            Reading…
          </p>
        ) : (
          <CurrentView opened={opened} name={current} />
        )}
      </div>
    </main>
  );
}

function CurrentView({ opened, name }: { opened: OpenSession; name: ViewName }) {
  switch (name) {
    case 'conversation':
      return <Conversation opened={opened} />;
    case 'time':
      return <TimeView opened={opened} />;
    case 'state':
      return <StateView opened={opened} />;
    case 'files':
      return <FilesView opened={opened} />;
    case 'family':
      return <FamilyView opened={opened} />;
  }
}

function SessionHead({ opened }: { opened: OpenSession }) {
  const page = usePage();
  const session = opened.session.value;
  const now = page.now.value;
  const where = page.where.value;
  const title = useRef<HTMLHeadingElement>(null);
  // Whoever opened it by a key goes on from here.
  useEffect(() => title.current?.focus({ preventScroll: true }), []);
  return (
    <header class="session-head">
      <button type="button" class="back quiet" onClick={() => page.open(undefined)}>
        <span aria-hidden="true">←</span> Sessions
      </button>
      <h1 ref={title} tabIndex={-1}>
        <bdi>{session === undefined ? plainName(opened.ref.sessionId) : titleOf(session)}</bdi>
      </h1>
      {session !== undefined && (
        <p class="facts">
          {isLive(session, now) && <span class="live" role="img" aria-label="live" />}
          <span>{turnOf(session, opened.openCalls.value)}</span>
          <span>{plainName(session.app)}</span>
          {session.eventCount !== undefined && (
            <span>{counted(session.eventCount, 'event', session.eventCount.toLocaleString())}</span>
          )}
          <span title={fullTime(session.createTime, where)}>began {ago(session.createTime, now, where)}</span>
          {session.expireTime !== undefined && (
            <span title={fullTime(session.expireTime, where)}>expires</span>
          )}
          {Object.entries(session.labels ?? {}).map(([name, value]) => (
            <span class="chip" key={name}>
              {plainName(`${name}: ${value}`)}
            </span>
          ))}
        </p>
      )}
      <SessionMenu opened={opened} />
    </header>
  );
}
