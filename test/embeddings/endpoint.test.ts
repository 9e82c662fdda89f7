import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openEndpoint } from '../../src/embeddings/endpoint.ts';
import { SessionError } from '../../src/errors.ts';
import {
  type Behaviour,
  dimensions,
  type FakeEmbeddings,
  fakeEmbeddings,
} from '../fake/embeddings/server.ts';

let fake: FakeEmbeddings;
beforeEach(async () => {
  fake = await fakeEmbeddings({ key: 'the-key' });
});
afterEach(() => fake.close());

const open = (more: { apiKey?: string; dimensions?: number } = {}) =>
  openEndpoint({ baseUrl: fake.url, model: 'm', apiKey: 'the-key', ...more });

async function faultOf(behaviour: Behaviour, ms = 5000): Promise<SessionError> {
  fake.behave(behaviour);
  const error = await open()
    .embed(['dog', 'car'], ms)
    .then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
  if (!(error instanceof SessionError)) throw new Error('No SessionError was thrown.');
  for (const text of [error.message, error.hint ?? '']) expect(text).not.toMatch(/leaked|the-key|upstream/);
  return error;
}

it('answers a direction for each text, in the order of the texts', async () => {
  const [dog, car] = await open().embed(['a dog', 'a car'], 5000);
  expect(dog).toHaveLength(dimensions);
  expect(dog?.indexOf(127)).toBe(2);
  expect(car?.indexOf(127)).toBe(0);
  expect(fake.requests).toEqual([{ model: 'm', input: ['a dog', 'a car'] }]);
});

it.each(['', '/v1', '/v1/embeddings'])('finds the endpoint at the address with %j', async (path) => {
  const baseUrl = fake.url.replace(/\/v1$/, path);
  const [dog] = await openEndpoint({ baseUrl, model: 'm', apiKey: 'the-key' }).embed(['a dog'], 5000);
  expect(dog).toHaveLength(dimensions);
});

it('asks for the dimensions that are configured', async () => {
  const [dog] = await open({ dimensions: 4 }).embed(['a dog'], 5000);
  expect(dog).toHaveLength(4);
  expect(fake.requests).toMatchObject([{ dimensions: 4 }]);
});

describe('an endpoint that is not well', () => {
  it.each<[string, Behaviour, string, RegExp]>([
    ['limits the rate', { status: 429, headers: { 'retry-after': '7' } }, 'RESOURCE_EXHAUSTED', /limits/],
    ['does not know the model', { status: 404 }, 'FAILED_PRECONDITION', /does not know/],
    ['breaks', { status: 500 }, 'UNAVAILABLE', /status 500/],
    ['refuses texts', { status: 400 }, 'INVALID_ARGUMENT', /refuses the texts/],
    ['answers no JSON', { body: '<html>sk-leaked' }, 'UNAVAILABLE', /not JSON/],
    ['answers NaN', { body: '{"data":[{"embedding":[NaN]}]}' }, 'UNAVAILABLE', /not JSON/],
    ['answers something else', { body: '{"ok":true}' }, 'FAILED_PRECONDITION', /no list of vectors/],
    ['answers too few', { spoil: (all) => all.slice(1) }, 'FAILED_PRECONDITION', /1 vectors for 2 texts/],
    ['answers too many', { spoil: (all) => [...all, ...all] }, 'FAILED_PRECONDITION', /4 vectors/],
    ['answers null', { spoil: (all) => all.map(() => [null]) }, 'FAILED_PRECONDITION', /finite numbers/],
    ['answers no numbers', { spoil: (all) => all.map(() => []) }, 'FAILED_PRECONDITION', /finite numbers/],
    ['answers text', { spoil: (all) => all.map(() => 'AAAA') }, 'FAILED_PRECONDITION', /finite numbers/],
    [
      'answers vectors of different lengths',
      { spoil: ([first = [], ...rest]) => [first.slice(1), ...rest] },
      'FAILED_PRECONDITION',
      /vectors of \d+ numbers/,
    ],
  ])('%s', async (_, behaviour, code, message) => {
    const error = await faultOf(behaviour);
    expect(error.message).toMatch(message);
    expect(error.code).toBe(code);
  });

  it('says after how many seconds to ask again', async () => {
    const { retryAfter } = await faultOf({ status: 429, headers: { 'retry-after': '7' } });
    expect(retryAfter).toBe(7);
  });

  it('answers more than it may', async () => {
    const { code } = await faultOf({ body: `{"data":[${'0,'.repeat(40 * 1024 * 1024)}0]}` });
    expect(code).toBe('RESOURCE_EXHAUSTED');
  });

  it.each<[string, Behaviour]>([
    ['begins no answer', { delayMs: 60_000 }],
    ['ends no answer', { hangs: true }],
  ])('%s in time', async (_, behaviour) => {
    const { code } = await faultOf(behaviour, 50);
    expect(code).toBe('DEADLINE_EXCEEDED');
  });

  it('refuses the key', async () => {
    const embedding = open({ apiKey: 'another-key' }).embed(['dog'], 5000);
    await expect(embedding).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    await expect(embedding).rejects.not.toThrow(/another-key/);
  });
});

it('answers nothing for a text whose vector has no direction', async () => {
  fake.behave({ spoil: ([first = [], ...rest]) => [first.map(() => 0), ...rest] });
  const [none, some] = await open().embed(['dog', 'car'], 5000);
  expect(none).toBeUndefined();
  expect(some).toBeDefined();
});
