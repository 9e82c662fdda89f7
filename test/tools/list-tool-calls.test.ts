import { expect, test } from 'vitest';
import { caller, memoryBackend, user } from './harness.ts';

test('pages of open tool calls go on where they were, though the calls shown are answered meanwhile', async () => {
  const backend = await memoryBackend();
  const call = caller([backend], user('ada'));
  const { session } = (await call('create_session')) as { session: { id: string } };
  const sessionId = session.id;
  for (let i = 0; i < 9; i += 1)
    await call('append_event', {
      sessionId,
      author: 'agent',
      content: { parts: [{ functionCall: { id: `c${i}`, name: 'f' } }] },
    });
  const seen: string[] = [];
  let pageToken: unknown;
  do {
    const page = (await call('list_tool_calls', {
      sessionId,
      pageSize: 3,
      ...(pageToken === undefined ? {} : { pageToken }),
    })) as { toolCalls: { id: string }[]; nextPageToken?: string };
    seen.push(...page.toolCalls.map(({ id }) => id));
    pageToken = page.nextPageToken;
    const last = page.toolCalls.at(-1)?.id;
    if (seen.length < 9)
      await call('submit_tool_outputs', { sessionId, outputs: [{ toolCallId: last, output: {} }] });
  } while (pageToken !== undefined);
  expect(seen).toEqual(Array.from({ length: 9 }, (_, i) => `c${i}`));
  await backend.close();
});
