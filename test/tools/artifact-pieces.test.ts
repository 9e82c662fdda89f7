import { expect, it } from 'vitest';
import { caller, memoryBackend, user } from './harness.ts';

it('a text file whose bytes are not UTF-8 is given as bytes, none of them changed', async () => {
  const backend = await memoryBackend();
  try {
    const call = caller([backend], user('ann'));
    await call('create_session', { sessionId: 's' });
    const latin1 = Buffer.from('Blåbærsyltetøy', 'latin1');
    const saved = { sessionId: 's', name: 'recipe.txt', mimeType: 'text/plain' };
    await call('save_artifact', { ...saved, data: latin1.toString('base64') });
    const piece = await call('get_artifact', { sessionId: 's', name: 'recipe.txt' });
    expect(piece).not.toHaveProperty('text');
    expect(Buffer.from(String(piece.data), 'base64')).toEqual(latin1);
  } finally {
    await backend.close();
  }
});
