import { McpServer } from '@modelcontextprotocol/server';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { SessionError } from '../../../src/errors.ts';
import type { Verdict } from '../../../src/server/auth/index.ts';
import { principalOf } from '../../../src/server/auth/scopes.ts';
import { wasCancelled } from '../../../src/server/mcp/cancelled.ts';
import { conformanceFixture } from '../../conformance/fixture.ts';
import { eventually, pause, startTransportOf } from '../http/harness.ts';
import {
  legacyRequest,
  modernRequest,
  open,
  openSession,
  resultOf,
  send,
  toolCall,
} from '../http/requests.ts';

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
    const openStreams = async () => {
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
    const streams = await openStreams();
    verdict = new SessionError('UNAVAILABLE', 'The issuer is down.');
    await pause(100);
    expect(streams.ended).toBe(0);
    verdict = { kind: 'refused', presented: true };
    await eventually(() => streams.ended === 2);
    verdict = { kind: 'caller', principal: ann };
    const others = await openStreams();
    verdict = { kind: 'caller', principal: principalOf('ann', ['sessions:admin']) };
    await eventually(() => others.ended === 2);
    await server.close(0);
  });

  it('ends the calls that are under way, with an answer that says why', async () => {
    const ann = principalOf('ann', ['sessions:write']);
    let verdict: Verdict = { kind: 'caller', principal: ann };
    const ended: string[] = [];
    const build = () => {
      const server = new McpServer({ name: 'waits', version: '1' });
      server.registerTool('wait', { inputSchema: z.object({ who: z.string() }) }, async ({ who }, ctx) => {
        await new Promise<void>((resolve) => ctx.mcpReq.signal.addEventListener('abort', () => resolve()));
        ended.push(`${who} ${wasCancelled(ctx)}`);
        return { content: [] };
      });
      return server;
    };
    const served = { build, listen: () => () => {} };
    const server = await startTransportOf(served, { authenticate: async () => verdict, checkMs: 20 });
    const port = Number(new URL(server.url).port);
    const id = await openSession(port);
    const modern = open(port, toolCall('wait', { who: 'modern' }));
    const legacy = open(
      port,
      legacyRequest(id, 'tools/call', { name: 'wait', arguments: { who: 'legacy' } }, 9),
    );
    expect(await legacy.status).toBe(200);
    await pause(100);
    expect(ended).toEqual([]);
    verdict = { kind: 'refused', presented: true };
    const answers = await Promise.all([modern.answer, legacy.answer]);
    expect(answers.map(({ status }) => status)).toEqual([401, 200]);
    expect(answers[0]?.headers['www-authenticate']).toContain('error="invalid_token"');
    expect(answers.map((answer) => resultOf(answer))).toMatchObject([
      { id: 1, error: { message: 'The token is no longer valid.' } },
      { id: 9, error: { message: 'The token is no longer valid.' } },
    ]);
    await eventually(() => ended.length === 2);
    expect(ended.sort()).toEqual(['legacy true', 'modern true']);
    await server.close(0);
  });
});
