import { describe, expect, it } from 'vitest';
import { SessionError } from '../../../src/errors.ts';
import type { Verdict } from '../../../src/server/auth/index.ts';
import { principalOf } from '../../../src/server/auth/scopes.ts';
import { conformanceFixture } from '../../conformance/fixture.ts';
import { eventually, pause, startTransportOf } from '../http/harness.ts';
import { modernRequest, openSession, send } from '../http/requests.ts';

describe('a token that is taken back', () => {
  it('ends its streams, and does not while the issuer cannot be asked', async () => {
    const ann = principalOf('ann', ['sessions:write']);
    let verdict: Verdict | Error = { kind: 'caller', principal: ann };
    const server = await startTransportOf(conformanceFixture(), {
      authenticate: async () => {
        if (verdict instanceof Error) throw verdict;
        return verdict;
      },
      checkMs: 20,
    });
    const port = Number(new URL(server.url).port);
    const open = async () => {
      const state = { ended: 0 };
      const id = await openSession(port);
      const headers = { accept: 'text/event-stream', 'mcp-session-id': id };
      const notifications = { toolsListChanged: true };
      for (const sent of [
        { method: 'GET', headers },
        modernRequest('subscriptions/listen', { notifications }),
      ])
        void send(port, sent).then(() => {
          state.ended += 1;
        });
      await pause(100);
      return state;
    };
    const streams = await open();
    verdict = new SessionError('UNAVAILABLE', 'The issuer is down.');
    await pause(100);
    expect(streams.ended).toBe(0);
    verdict = { kind: 'refused', presented: true };
    await eventually(() => streams.ended === 2);
    verdict = { kind: 'caller', principal: ann };
    const others = await open();
    verdict = { kind: 'caller', principal: principalOf('ann', ['sessions:admin']) };
    await eventually(() => others.ended === 2);
    await server.close(0);
  });
});
