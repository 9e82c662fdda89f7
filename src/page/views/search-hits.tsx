import { useEffect, useState } from 'preact/hooks';
import { preview } from '../../model/text.ts';
import { plainName } from '../model/text.ts';
import { fullTime } from '../model/time.ts';
import { AuthorName } from './author.tsx';
import { Failure } from './failure.tsx';
import { usePage } from './page-context.ts';

/** An event that search_events has found. */
interface Hit {
  sessionId: string;
  session?: string;
  app?: string;
  eventId: string;
  author: string;
  timestamp: string;
  text: string;
}

interface Found {
  hits: Hit[];
  note?: string;
}

const limit = 20;

/** What was said in all sessions that matches; each leads to its place in its conversation. */
export function SearchHits({ words }: { words: string }) {
  const page = usePage();
  const { calls, list } = page;
  const [found, setFound] = useState<Found | undefined>();
  const [failure, setFailure] = useState<unknown>();
  const { backend } = list.choice.value;
  useEffect(() => {
    const end = new AbortController();
    const args = { query: words, limit, around: 0, ...(backend === undefined ? {} : { backend }) };
    calls.read<Found>('search_events', args, { signal: end.signal }).then(
      (answer) => {
        setFound(answer);
        setFailure(undefined);
      },
      (error: unknown) => {
        if (!end.signal.aborted) setFailure(error);
      },
    );
    return () => end.abort();
  }, [words, backend]);
  const show = (hit: Hit) => {
    page.open({ sessionId: hit.sessionId, app: hit.app, backend });
    page.target.value = { key: hit.eventId };
  };
  return (
    <section class="hits" aria-label="What was said">
      <h2>What was said</h2>
      {failure !== undefined && <Failure error={failure} />}
      {found?.hits.length === 0 && <p class="note">Nothing that was said matches.</p>}
      <ul>
        {found?.hits.map((hit) => (
          <li key={`${hit.sessionId} ${hit.eventId}`}>
            <button type="button" class="session-item" onClick={() => show(hit)}>
              <span class="session-title">
                <bdi>{plainName(hit.session || hit.sessionId)}</bdi>
                <time dateTime={hit.timestamp}>{fullTime(hit.timestamp, page.where.value)}</time>
              </span>
              <span class="hit-text">
                <AuthorName author={hit.author} /> <bdi>{plainName(preview(hit.text, 300))}</bdi>
              </span>
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}
