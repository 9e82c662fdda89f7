import { expect, it } from 'vitest';
import type { SessionRef } from '../../../src/backend/types.ts';
import type { NewEvent, Part } from '../../../src/model/event.ts';
import { fails, open, rpcsOf, said, type World, world } from './setup.ts';

const by = (author: string, ...parts: Part[]): NewEvent => ({
  author,
  invocationId: 'turn-1',
  content: { role: author === 'user' ? 'user' : 'model', parts },
});
const call = (id: string, name = 'weather'): Part => ({ functionCall: { id, name, args: { city: 'Oslo' } } });
const answer = (id: string, more: object = {}): Part => ({
  functionResponse: { id, name: 'weather', response: { sky: 'grey' }, ...more },
});

const openIds = async ({ backend }: World, ref: SessionRef) =>
  (await backend.toolCalls.list(ref)).map(({ id }) => id);

async function filled(...events: NewEvent[]): Promise<{ it: World; ref: SessionRef }> {
  const it = await world();
  const ref = await it.make();
  for (const event of events) await it.backend.events.append(ref, event);
  return { it, ref };
}

it('a call is open from its event to its answer, whatever lies between', async () => {
  const { it, ref } = await filled(by('agent', call('a'), call('b')), said('wait'), by('agent', answer('b')));
  expect(await it.backend.toolCalls.list(ref)).toMatchObject([
    { id: 'a', name: 'weather', args: { city: 'Oslo' }, author: 'agent', invocationId: 'turn-1' },
  ]);
  for (let i = 0; i < 120; i += 1) await it.backend.events.append(ref, said(`m${i}`));
  expect(await openIds(it, ref)).toEqual(['a']);
});

it('a long-running call waits for the user’s word, not for the tool’s first answer', async () => {
  const begun = { ...by('agent', call('long')), longRunningToolIds: ['long', 'bare'] };
  const { it, ref } = await filled(begun, by('agent', answer('long')), {
    ...by('agent', { text: 'Still at it.' }),
    longRunningToolIds: ['long'],
  });
  expect(await it.backend.toolCalls.list(ref)).toMatchObject([
    { id: 'long', name: 'weather', longRunning: true },
    { id: 'bare', longRunning: true },
  ]);
  await it.backend.events.append(ref, by('user', answer('long', { willContinue: true })));
  expect(await openIds(it, ref)).toEqual(['long', 'bare']);
  await it.backend.toolCalls.submit(ref, [{ toolCallId: 'long', error: 'no' }]);
  expect(await openIds(it, ref)).toEqual(['bare']);
});

it('several calls are answered in one event, in their own turn', async () => {
  const { it, ref } = await filled(by('agent', call('a'), call('b', 'time')), said('another turn'));
  const { event } = await it.backend.toolCalls.submit(ref, [
    { toolCallId: 'b', output: { hour: 7 } },
    { toolCallId: 'a', error: 'no network' },
  ]);
  expect(event).toMatchObject({
    author: 'user',
    invocationId: 'turn-1',
    content: {
      role: 'user',
      parts: [
        { functionResponse: { id: 'b', name: 'time', response: { hour: 7 } } },
        { functionResponse: { id: 'a', name: 'weather', response: { error: 'no network' } } },
      ],
    },
  });
  expect(await openIds(it, ref)).toEqual([]);
});

it('of two answers to one call the first stands', async () => {
  const { it, ref } = await filled(by('agent', call('a')));
  const submit = (sky: string) => it.backend.toolCalls.submit(ref, [{ toolCallId: 'a', output: { sky } }]);
  const outcomes = await Promise.allSettled([submit('grey'), submit('blue')]);
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
  await fails(submit('red'), 'NOT_FOUND');
  expect(it.fake.engine.sessions.get(ref.sessionId)?.events).toHaveLength(2);
  const twice = [
    { toolCallId: 'a', output: {} },
    { toolCallId: 'a', output: {} },
  ];
  await fails(it.backend.toolCalls.submit(ref, twice), 'INVALID_ARGUMENT');
});

it('a call without an id gets one, so that it can be answered', async () => {
  const { it, ref } = await filled(by('agent', { functionCall: { name: 'weather' } }));
  const [found] = await it.backend.toolCalls.list(ref);
  expect(found?.id).toMatch(/^c\d{18}$/);
  await it.backend.toolCalls.submit(ref, [{ toolCallId: found?.id ?? '', output: {} }]);
  expect(await openIds(it, ref)).toEqual([]);
});

it('somebody else’s calls are neither shown nor answered', async () => {
  const { it, ref } = await filled(by('agent', call('a')));
  const eve = { ...ref, userId: 'eve' };
  await fails(it.backend.toolCalls.list(eve), 'NOT_FOUND');
  const other = await open(it.fake);
  const rpcs = await rpcsOf(it.fake, () =>
    fails(other.toolCalls.submit(eve, [{ toolCallId: 'a', output: {} }]), 'NOT_FOUND'),
  );
  expect(rpcs).not.toContain('AppendEvent');
});
