import type { Backend } from '../../../src/backend/types.ts';

/** A session of so many events: talk, tool calls with answers, and state, as agents make them. */
export async function manyEvents(
  backend: Backend,
  owner: { app: string; userId: string },
  count: number,
): Promise<string> {
  const { create } = backend.sessions ?? {};
  const { append } = backend.events ?? {};
  if (create === undefined || append === undefined) throw new Error('The backend stores no sessions.');
  const { id: sessionId } = await create(owner, { displayName: `A session of ${count} events` });
  const ref = { ...owner, sessionId };
  const begin = Date.UTC(2026, 0, 2, 8);
  const eventAt = (i: number) => {
    const invocationId = `turn-${Math.floor(i / 5)}`;
    const timestamp = new Date(begin + i * 1500).toISOString();
    const at = { id: `event-${i}`, invocationId, timestamp };
    const call = { id: `call-${i - (i % 5)}`, name: `lookup_${i % 7}` };
    switch (i % 5) {
      case 0:
        return {
          ...at,
          author: 'user',
          content: { role: 'user' as const, parts: [{ text: `Question ${i}: what about item ${i % 97}?` }] },
        };
      case 1:
        return {
          ...at,
          author: 'helper',
          content: { role: 'model' as const, parts: [{ functionCall: { ...call, args: { item: i } } }] },
        };
      case 2:
        return {
          ...at,
          author: 'helper',
          content: {
            role: 'user' as const,
            parts: [
              { functionResponse: { ...call, response: { found: i, words: 'lorem ipsum '.repeat(i % 11) } } },
            ],
          },
        };
      case 3:
        return {
          ...at,
          author: 'helper',
          content: {
            role: 'model' as const,
            parts: [
              {
                text: `Answer ${i}: **${i}** of them.\n\n- one\n- two\n\n\`\`\`\nx = ${i}\n\`\`\`\n${'More words follow here. '.repeat(i % 13)}`,
              },
            ],
          },
          actions: { stateDelta: { step: i } },
        };
      default:
        return {
          ...at,
          author: i % 2 === 0 ? 'planner' : 'critic',
          content: { role: 'model' as const, parts: [{ text: `Remark ${i}.` }] },
        };
    }
  };
  const batch = 200;
  for (let i = 0; i < count; i += batch)
    await Promise.all(
      Array.from({ length: Math.min(batch, count - i) }, (_, at) => append(ref, eventAt(i + at))),
    );
  return sessionId;
}
