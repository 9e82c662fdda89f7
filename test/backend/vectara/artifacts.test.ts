import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { status } from '../../fake/vectara/faults.ts';
import { addArtifact } from '../../fake/vectara/store.ts';
import { allFail, failure, requestsTo, world } from './setup.ts';

it('are listed newest first, page by page, and fetched with their content', async () => {
  const { backend, make } = await world();
  const ref = await make();
  for (let i = 0; i < 5; i += 1) addArtifact(ref.wire, `f${i}.txt`, 'text/plain', Buffer.from(`text ${i}`));
  const first = await backend.artifacts.list(ref, { pageSize: 3 });
  const second = await backend.artifacts.list(ref, { pageSize: 3, cursor: first.cursor });
  const items = [...first.items, ...second.items];
  expect(second.cursor).toBeUndefined();
  expect(items.map((a) => a.name.split('/')[1])).toEqual(['f4.txt', 'f3.txt', 'f2.txt', 'f1.txt', 'f0.txt']);
  const got = await backend.artifacts.get(ref, items[0]?.name ?? '');
  expect(got.data.toString()).toBe('text 4');
  expect(got.artifact).toEqual(items[0]);
  expect(got.artifact).toMatchObject({
    version: 0,
    mimeType: 'text/plain',
    sizeBytes: 6,
    sha256: createHash('sha256').update('text 4').digest('hex'),
  });
});

it('are found by name, by id, and by file name: the newest of that name', async () => {
  const { backend, make } = await world();
  const ref = await make();
  const old = addArtifact(ref.wire, 'report.pdf', 'application/pdf', Buffer.from('old'));
  addArtifact(ref.wire, 'report.pdf', 'application/pdf', Buffer.from('new'));
  const text = async (name: string) => (await backend.artifacts.get(ref, name)).data.toString();
  expect(await text('report.pdf')).toBe('new');
  expect(await text(old.artifact_id)).toBe('old');
  expect(await text(`${old.artifact_id}/report.pdf`)).toBe('old');
  await allFail(
    [
      backend.artifacts.get(ref, 'other.pdf'),
      backend.artifacts.get(ref, `${old.artifact_id}/other.pdf`),
      backend.artifacts.get(ref, '../secrets'),
      backend.artifacts.get(ref, 'report.pdf', 1),
    ],
    'NOT_FOUND',
  );
});

it('above the cap are not fetched', async () => {
  const { backend, fake, make } = await world({}, { maxArtifactBytes: 1000 });
  const ref = await make();
  const large = addArtifact(ref.wire, 'large.bin', 'application/octet-stream', Buffer.alloc(1001));
  expect(await failure(backend.artifacts.get(ref, 'large.bin'))).toMatchObject({
    code: 'RESOURCE_EXHAUSTED',
    details: { sizeBytes: 1001, maxBytes: 1000 },
  });
  expect(requestsTo(fake, 'GET', /artifacts\/art_/)).toEqual([]);
  // A list that understates the size does not pass the limit either.
  large.size_bytes = 5;
  expect((await failure(backend.artifacts.get(ref, 'large.bin'))).code).toBe('RESOURCE_EXHAUSTED');
});

it('that arrive damaged are refused', async () => {
  const { backend, make } = await world();
  const ref = await make();
  const file = addArtifact(ref.wire, 'a.txt', 'text/plain', Buffer.from('right'));
  ref.wire.files.set(file.artifact_id, Buffer.from('wrong').toString('base64'));
  expect(await failure(backend.artifacts.get(ref, 'a.txt'))).toMatchObject({
    code: 'UNAVAILABLE',
    message: expect.stringContaining('checksum'),
  });
});

it('are sent once when they are read piece by piece, and not kept for anybody else', async () => {
  const { backend, fake, make } = await world();
  const ref = await make();
  addArtifact(ref.wire, 'a.txt', 'text/plain', Buffer.from('content'));
  for (let i = 0; i < 5; i += 1) await backend.artifacts.get(ref, 'a.txt');
  expect(requestsTo(fake, 'GET', /artifacts\/art_/)).toHaveLength(1);
  const { name } = (await backend.artifacts.get(ref, 'a.txt')).artifact;
  expect((await failure(backend.artifacts.get({ ...ref, userId: 'eve' }, name))).code).toBe('NOT_FOUND');
  ref.wire.artifacts.length = 0;
  expect((await failure(backend.artifacts.get(ref, name))).code).toBe('NOT_FOUND');
  // New content under the same id has another checksum.
  const next = addArtifact(ref.wire, 'a.txt', 'text/plain', Buffer.from('one'));
  expect((await backend.artifacts.get(ref, next.artifact_id)).data.toString()).toBe('one');
  const data = Buffer.from('two');
  next.checksum_sha256 = createHash('sha256').update(data).digest('hex');
  ref.wire.files.set(next.artifact_id, data.toString('base64'));
  expect((await backend.artifacts.get(ref, next.artifact_id)).data.toString()).toBe('two');
});

it('of another session are out of reach', async () => {
  const { backend, fake, make } = await world();
  const ref = await make();
  const other = await make();
  const file = addArtifact(other.wire, 'a.txt', 'text/plain', Buffer.from('theirs'));
  expect((await failure(backend.artifacts.get(ref, file.artifact_id))).code).toBe('NOT_FOUND');
  // An answer with another artifact's id is refused.
  addArtifact(ref.wire, 'b.txt', 'text/plain', Buffer.from('mine'));
  fake.fail({ path: /artifacts\/art_/, respond: status(200, { ...file, data: 'dGhlaXJz' }) });
  expect((await failure(backend.artifacts.get(ref, 'b.txt'))).code).toBe('NOT_FOUND');
});
