import { useEffect, useState } from 'preact/hooks';
import type { Event } from '../../model/event.ts';
import { counted } from '../../model/plural.ts';
import type { Session } from '../../model/session.ts';
import { readEvents, readFamily } from '../live/family.ts';
import type { OpenSession } from '../live/open-session.ts';
import { type Comparison, compare, type Member, membersOf } from '../model/family.ts';
import { summaryOf } from '../model/summary.ts';
import { plainName } from '../model/text.ts';
import { ago, clockTime } from '../model/time.ts';
import { AuthorName } from './author.tsx';
import { Failure } from './failure.tsx';
import { usePage } from './page-context.ts';
import { titleOf } from './questions.ts';

/** The sessions that this one was copied from and those copied from it, and two of them side by side. */
export function FamilyView({ opened }: { opened: OpenSession }) {
  const { calls } = usePage();
  const session = opened.session.value;
  const [family, setFamily] = useState<Member | undefined>();
  const [failure, setFailure] = useState<unknown>();
  const [other, setOther] = useState<string | undefined>();
  useEffect(() => {
    if (session === undefined) return;
    const read = async () => {
      setFamily(await readFamily(calls, opened.ref, session));
      setFailure(undefined);
    };
    read().catch(setFailure);
  }, [session?.id, session?.revision]);
  const members = family === undefined ? [] : membersOf(family);
  const against = members.find(({ id }) => id === other && id !== session?.id);
  return (
    <div class="scroll-view" tabIndex={0} role="group" aria-label="Forks">
      {failure !== undefined && <Failure error={failure} />}
      {family === undefined && failure === undefined && <p class="note">Looking for relatives…</p>}
      {members.length === 1 && (
        <p class="note">
          This session was not copied from another, and none was copied from it. “Fork” makes a copy.
        </p>
      )}
      {family !== undefined && (
        <ul class="family">
          <MemberView
            member={family}
            opened={opened}
            other={against?.id}
            onOther={(id) => setOther(id === other ? undefined : id)}
          />
        </ul>
      )}
      {against !== undefined && session !== undefined && (
        <SideBySide key={against.id} opened={opened} left={session} right={against} />
      )}
    </div>
  );
}

interface MemberProps {
  member: Member;
  opened: OpenSession;
  other: string | undefined;
  onOther(id: string): void;
}

function MemberView({ member, opened, other, onOther }: MemberProps) {
  const page = usePage();
  const { session, children } = member;
  const { forkedFrom, eventCount, updateTime, id } = session;
  const isHere = id === opened.ref.sessionId;
  const at = opened.events.value.findIndex((event) => event.id === forkedFrom?.eventId);
  return (
    <li>
      <div class={isHere ? 'member is-here' : 'member'}>
        {isHere ? (
          <strong>{titleOf(session)}</strong>
        ) : (
          <button
            type="button"
            class="quiet"
            onClick={() => page.open({ ...opened.ref, sessionId: id }, 'family')}
          >
            {titleOf(session)}
          </button>
        )}
        {forkedFrom !== undefined && (
          <span class="chip">fork{at < 0 ? '' : ` at event ${(at + 1).toLocaleString()}`}</span>
        )}
        {session.parentSessionId !== undefined && <span class="chip">part</span>}
        <span class="note">
          {eventCount === undefined ? '' : `${counted(eventCount, 'event', eventCount.toLocaleString())}, `}
          {ago(updateTime, page.now.value, page.where.value)}
        </span>
        {!isHere && (
          <button type="button" aria-pressed={other === id} onClick={() => onOther(id)}>
            Compare
          </button>
        )}
      </div>
      {children.length > 0 && (
        <ul>
          {children.map((child) => (
            <MemberView
              key={child.session.id}
              member={child}
              opened={opened}
              other={other}
              onOther={onOther}
            />
          ))}
        </ul>
      )}
    </li>
  );
}

/** Events of each session that are compared, and those that are shown. */
const [mostCompared, mostShown] = [5000, 300];

function SideBySide({ opened, left, right }: { opened: OpenSession; left: Session; right: Session }) {
  const { calls } = usePage();
  const [result, setResult] = useState<Comparison | undefined>();
  const [failure, setFailure] = useState<unknown>();
  const events = opened.events.value;
  const isComplete = opened.complete.value;
  useEffect(() => {
    if (!isComplete) {
      void opened.loadAll().catch(setFailure);
      return;
    }
    readEvents(calls, { ...opened.ref, sessionId: right.id }, mostCompared).then(
      (others) =>
        setResult(
          compare(
            events.filter(({ hidden }) => hidden !== true),
            others,
          ),
        ),
      setFailure,
    );
  }, [right.id, right.revision, isComplete, events]);
  if (failure !== undefined) return <Failure error={failure} />;
  if (result === undefined) return <p class="note">Comparing…</p>;
  const { common } = result;
  return (
    <section class="comparison" aria-label="Comparison">
      <h2>
        {common === 0
          ? 'They have no beginning in common.'
          : `The first ${common === 1 ? 'event is' : `${common.toLocaleString()} events are`} the same in both.`}
      </h2>
      <div class="sides">
        <Side session={left} events={result.left} />
        <Side session={right} events={result.right} />
      </div>
    </section>
  );
}

function Side({ session, events }: { session: Session; events: readonly Event[] }) {
  const page = usePage();
  return (
    <section aria-label={titleOf(session)}>
      <h3>
        <bdi>{titleOf(session)}</bdi>
      </h3>
      {events.length === 0 && <p class="note">Nothing after that.</p>}
      <ol>
        {events.slice(0, mostShown).map((event) => (
          <li key={event.id}>
            <AuthorName author={event.author} />{' '}
            <time dateTime={event.timestamp}>{clockTime(event.timestamp, page.where.value)}</time>
            {event.branch !== undefined && <span class="chip">{plainName(event.branch)}</span>}
            <p dir="auto">{summaryOf(event, 400)}</p>
          </li>
        ))}
      </ol>
      {events.length > mostShown && (
        <p class="note">and {(events.length - mostShown).toLocaleString()} more</p>
      )}
    </section>
  );
}
