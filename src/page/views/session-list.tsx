import { useEffect, useId, useRef, useState } from 'preact/hooks';
import type { Session } from '../../model/session.ts';
import { refOf } from '../live/refs.ts';
import { keyOf } from '../live/session-list.ts';
import { plainName } from '../model/text.ts';
import { ago, fullTime } from '../model/time.ts';
import { isLive, turnOf } from '../model/turn.ts';
import { AuthorName } from './author.tsx';
import { Failure } from './failure.tsx';
import { usePage } from './page-context.ts';
import { titleOf } from './questions.ts';
import { SearchHits } from './search-hits.tsx';

/** The reader's sessions, the latest first, with ways to find one. */
export function SessionListView() {
  const page = usePage();
  const { list, calls } = page;
  const sessions = list.sessions.value;
  const current = page.opened.value?.ref;
  const words = list.choice.value.words;
  const shown = words === '' ? sessions : sessions.filter((one) => matches(one, words));
  // Names are looked for on the page, among more sessions than it shows unasked; what was said, by the server.
  const looksOn = words !== '' && list.more.value && sessions.length < mostSearched;
  useEffect(() => {
    if (looksOn) void list.loadMore().catch(() => {});
  }, [looksOn, sessions]);
  return (
    <nav aria-label="Sessions">
      <Search />
      {list.state.value === 'failed' && (
        <Failure error={list.failure.value} retry={() => void list.refresh()} />
      )}
      {list.state.value === 'reading' && sessions.length === 0 && <p class="note">Reading…</p>}
      {list.state.value === 'read' && shown.length === 0 && (
        <p class="empty">
          {words === '' && list.choice.value.filter === '' ? 'No sessions yet.' : 'No session matches.'}
        </p>
      )}
      <ul>
        {shown.map((session) => (
          <li key={keyOf(session)}>
            <SessionItem
              session={session}
              isCurrent={current?.sessionId === session.id && (current.app ?? session.app) === session.app}
            />
          </li>
        ))}
      </ul>
      {list.more.value && (
        <button
          type="button"
          class="quiet"
          onClick={() => page.attempt(async () => void (await list.loadMore()))}
        >
          More sessions
        </button>
      )}
      {words !== '' && calls.has('search_events') && <SearchHits words={words} />}
    </nav>
  );
}

/** Sessions whose names are looked through. */
const mostSearched = 1000;

function matches({ id, displayName, labels, lastEvent }: Session, words: string): boolean {
  const text = [id, displayName, lastEvent?.text, ...Object.entries(labels ?? {}).flat()]
    .join(' ')
    .toLowerCase();
  return words
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

function SessionItem({ session, isCurrent }: { session: Session; isCurrent: boolean }) {
  const page = usePage();
  const { firstEvent, lastEvent, labels, app, forkedFrom, userId } = session;
  const me = page.calls.standing.value;
  const now = page.now.value;
  const where = page.where.value;
  return (
    <button
      type="button"
      class="session-item"
      aria-current={isCurrent ? 'true' : undefined}
      onClick={() => page.open(refOf(session, me?.userId, page.list.choice.value.backend))}
    >
      <span class="session-title">
        {isLive(session, now) && <span class="live" role="img" aria-label="live" />}
        <bdi>{titleOf(session)}</bdi>
        <time dateTime={session.updateTime} title={fullTime(session.updateTime, where)}>
          {ago(session.updateTime, now, where)}
        </time>
      </span>
      {firstEvent !== undefined && firstEvent.id !== lastEvent?.id && (
        <span class="session-last">
          <AuthorName author={firstEvent.author} /> <bdi>{plainName(firstEvent.text ?? '…')}</bdi>
        </span>
      )}
      {lastEvent !== undefined && (
        <span class="session-last">
          <AuthorName author={lastEvent.author} /> <bdi>{plainName(lastEvent.text ?? '…')}</bdi>
        </span>
      )}
      <span class="chips">
        {app !== me?.defaultApp && <span class="chip">{plainName(app)}</span>}
        {me !== undefined && userId !== me.userId && <span class="chip">{plainName(userId)}</span>}
        {forkedFrom !== undefined && <span class="chip">fork</span>}
        {Object.entries(labels ?? {}).map(([name, value]) => (
          <span class="chip" key={name}>
            {plainName(`${name}: ${value}`)}
          </span>
        ))}
        <span class="turn">{turnOf(session)}</span>
      </span>
    </button>
  );
}

const typingMs = 250;

function Search() {
  const page = usePage();
  const { list, calls } = page;
  const [words, setWords] = useState('');
  const [filter, setFilter] = useState('');
  const timers = useRef<{ words?: ReturnType<typeof setTimeout>; filter?: ReturnType<typeof setTimeout> }>(
    {},
  );
  const id = useId();
  const { app, backend, allUsers } = list.choice.value;
  const standing = calls.standing.value;
  const backends = standing?.backends ?? [];
  // A host may have opened the page for a search.
  const asked = list.choice.value.words;
  useEffect(() => setWords(asked), [asked]);
  const later = (what: 'words' | 'filter', value: string) => {
    clearTimeout(timers.current[what]);
    timers.current[what] = setTimeout(() => list.choose({ [what]: value.trim() }), typingMs);
  };
  return (
    <search class="search">
      <label class="unseen" for={`${id}-words`}>
        Search sessions
      </label>
      <input
        id={`${id}-words`}
        type="search"
        placeholder="Search sessions"
        value={words}
        dir="auto"
        onInput={(event) => {
          const { value } = event.currentTarget;
          setWords(value);
          later('words', value);
        }}
      />
      <details class="filters">
        <summary>Filters</summary>
        <label class="field">
          Filter
          <input
            value={filter}
            placeholder={'labels.env="dev"'}
            onInput={(event) => {
              const { value } = event.currentTarget;
              setFilter(value);
              later('filter', value);
            }}
          />
        </label>
        <AppField app={app} />
        {backends.length > 1 && (
          <label class="field">
            Backend
            <select
              value={backend ?? backends[0]}
              onChange={(event) => list.choose({ backend: event.currentTarget.value, app: undefined })}
            >
              {backends.map((name) => (
                <option key={name}>{name}</option>
              ))}
            </select>
          </label>
        )}
        {standing?.admin === true && (
          <label class="check">
            <input
              type="checkbox"
              checked={allUsers}
              onChange={(event) => list.choose({ allUsers: event.currentTarget.checked })}
            />
            Sessions of all users
          </label>
        )}
      </details>
    </search>
  );
}

function AppField({ app }: { app: string | undefined }) {
  const page = usePage();
  const { list, calls } = page;
  const [apps, setApps] = useState<readonly string[]>([]);
  const standing = calls.standing.value;
  const { backend } = list.choice.value;
  useEffect(() => {
    if (standing === undefined || !calls.has('list_apps')) return;
    calls
      .read<{ apps: { name: string }[] }>('list_apps', {
        pageSize: 100,
        ...(backend === undefined ? {} : { backend }),
      })
      .then(
        (answer) => setApps(answer.apps.map(({ name }) => name)),
        () => setApps([]),
      );
  }, [backend, standing]);
  if (apps.length === 0) return undefined;
  const first = standing?.defaultApp ?? '';
  const names = apps.includes(first) ? apps : [first, ...apps];
  return (
    <label class="field">
      App
      <select value={app ?? first} onChange={(event) => list.choose({ app: event.currentTarget.value })}>
        {names.map((name) => (
          <option key={name} value={name}>
            {plainName(name)}
          </option>
        ))}
      </select>
    </label>
  );
}
