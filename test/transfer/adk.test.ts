import { describe, expect, it, onTestFinished } from 'vitest';
import { openAdk } from '../../src/backend/adk/index.ts';
import { forkSession } from '../../src/transfer/fork.ts';
import { go } from '../fake/adk/go.ts';
import { java } from '../fake/adk/java.ts';
import { python } from '../fake/adk/python.ts';
import { startFake } from '../fake/adk/server.ts';
import { typescript } from '../fake/adk/typescript.ts';
import { ada, eventsOf, idle, local, read, verb } from './support.ts';

describe.each(Object.entries({ typescript, python, go, java }))(
  'a fork of a session on an ADK server in %s',
  (name, voice) => {
    it('brings its events in order, its state and all versions of its artifacts to the local backend', async () => {
      const fake = await startFake(voice);
      onTestFinished(() => fake.close());
      const adk = await openAdk({ baseUrl: fake.url });
      onTestFinished(() => adk.close());
      const owner = { ...ada, app: 'echo_agent' };
      const { id } = await verb(adk.sessions?.create)(owner, { state: { topic: 'tea' } });
      const ref = { ...owner, sessionId: id };
      for (const text of ['artifact one', 'artifact two', 'burst 3']) {
        const message = { role: 'user' as const, parts: [{ text }] };
        for await (const _ of verb(adk.query?.stream)(ref, { message, invocationId: 'x' }, idle));
      }
      const to = await local();
      const { session } = await forkSession(
        { backend: adk, ref },
        { backend: to, owner: ada },
        { signal: idle },
      );
      const copy = { ...ada, sessionId: session.id };
      const texts = async (backend: typeof adk, of: typeof copy) =>
        (await eventsOf(backend, of)).map((event) => event.content?.parts.map((part) => part.text).join());
      expect(await texts(to, copy)).toEqual(await texts(adk, ref));
      expect(session).toMatchObject({
        state: { topic: 'tea' },
        forkedFrom: { backend: 'adk', sessionId: id },
      });
      const first = name === 'go' ? 1 : 0;
      expect([await read(to, copy, 'note.txt', first), await read(to, copy, 'note.txt', first + 1)]).toEqual([
        'artifact one',
        'artifact two',
      ]);
    });
  },
);
