import { expect, it } from 'vitest';
import type { Session } from '../../src/model/session.ts';
import { turnOf } from '../../src/page/model/turn.ts';

const now = Date.parse('2026-11-21T12:00:00.000Z');
const at = (ms: number): string => new Date(now + ms).toISOString();

function session(turn: Partial<NonNullable<Session['turn']>>): Session {
  return {
    id: 's',
    app: 'app',
    userId: 'ann',
    createTime: at(-1000),
    updateTime: at(-1000),
    turn: { agent: 'writer', handedOverBy: 'planner', eventId: 'e1', since: at(-1000), tries: 0, ...turn },
  };
}

it('the page says whose turn it is, and how it stands', () => {
  expect(turnOf(session({}), [], now)).toBe('writer’s turn, nobody has taken it');
  const claimed = { tries: 1, claimedUntil: at(1000) };
  expect(turnOf(session(claimed), [], now)).toBe('writer’s turn, claimed by writer');
  expect(turnOf(session({ ...claimed, worker: 'copy-1' }), [], now)).toBe('writer’s turn, claimed by copy-1');
  expect(turnOf(session({ tries: 1, claimedUntil: at(-1) }), [], now)).toBe(
    'writer’s turn, nobody has taken it',
  );
  const failed = { tries: 1, failure: 'The model is away.', retryTime: at(2000) };
  expect(turnOf(session(failed), [], now)).toBe('writer’s turn, which failed and is tried again');
  expect(turnOf(session({ ...failed, tries: 3 }), [], now)).toBe(
    'writer’s turn, which failed 3 times and is tried again',
  );
});
