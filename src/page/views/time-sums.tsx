import { plainName } from '../model/text.ts';
import { duration } from '../model/time.ts';
import { laneKey, type Timeline } from '../model/timeline.ts';
import { AuthorName } from './author.tsx';
import { usePage } from './page-context.ts';

/** The sums behind the chart, of authors and of tools. */
export function Sums({ timeline, onSelect }: { timeline: Timeline; onSelect(eventId: string): void }) {
  const page = usePage();
  const total = Math.max(1, timeline.to - timeline.from);
  const part = (ms: number) => (ms === 0 ? '' : `${duration(ms)} (${Math.round((100 * ms) / total)} %)`);
  const hasTokens = timeline.tokens > 0;
  return (
    <div class="sums">
      <div class="scrolled" tabIndex={0} role="group" aria-label="Sums of authors">
        <table>
          <caption>Who took how long</caption>
          <thead>
            <tr>
              <th>author</th>
              <th>events</th>
              <th>runs</th>
              <th>tool calls</th>
              <th>works</th>
              <th>in tools</th>
              <th>waited for</th>
              {hasTokens && <th>tokens</th>}
            </tr>
          </thead>
          <tbody>
            {timeline.lanes.map((lane) => (
              <tr key={laneKey(lane)}>
                <th scope="row">
                  <AuthorName author={lane.author} />{' '}
                  {lane.branch === undefined ? '' : plainName(lane.branch)}
                </th>
                <td>{lane.events.toLocaleString()}</td>
                <td>{lane.runs.toLocaleString()}</td>
                <td>{lane.calls.toLocaleString()}</td>
                <td>{part(lane.workMs)}</td>
                <td>{part(lane.toolMs)}</td>
                <td>{part(lane.waitMs)}</td>
                {hasTokens && <td>{lane.tokens.toLocaleString()}</td>}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {timeline.tools.length > 0 && (
        <div class="scrolled" tabIndex={0} role="group" aria-label="Sums of tools">
          <table>
            <caption>Tools</caption>
            <thead>
              <tr>
                <th>tool</th>
                <th>calls</th>
                <th>time</th>
                <th>longest</th>
              </tr>
            </thead>
            <tbody>
              {timeline.tools.map(({ name, calls, ms, longest }) => (
                <tr key={name}>
                  <th scope="row">
                    <code>{plainName(name)}</code>
                  </th>
                  <td>{calls}</td>
                  <td>{part(ms)}</td>
                  <td>
                    <button
                      type="button"
                      class="quiet"
                      onClick={() => {
                        onSelect(longest.eventId);
                        page.view.value = 'conversation';
                        page.target.value = { key: longest.eventId };
                      }}
                    >
                      {duration(longest.ms)}
                    </button>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </div>
  );
}
