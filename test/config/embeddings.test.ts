import { describe, expect, it } from 'vitest';
import { commands } from '../../src/cli/commands.ts';
import { configFaults } from '../../src/config/faults.ts';
import { type Machine, readConfig } from '../../src/config/index.ts';
import { SessionError } from '../../src/errors.ts';

const machineWith = (embeddings: unknown): Machine => ({
  env: { KEY: 'the-secret-key' },
  platform: 'linux',
  homeDir: '/home/ann',
  userName: 'ann',
  readFile: () => JSON.stringify({ embeddings }),
});

function read(embeddings: unknown) {
  const invocation = readConfig(['--config', 'f'], machineWith(embeddings), commands);
  if (invocation.kind !== 'run') throw new Error('This was to run.');
  return invocation.config;
}

it('reads an endpoint with its defaults, and its key for the log to leave out', () => {
  const config = read({ baseUrl: 'https://models.example/v1/', model: 'm', keyEnv: 'KEY' });
  expect(config.embeddings).toEqual({
    baseUrl: 'https://models.example/v1',
    model: 'm',
    apiKey: 'the-secret-key',
    dimensions: undefined,
    batchSize: 64,
    searchMs: 500,
  });
  expect(config.secrets).toContain('the-secret-key');
  expect(read(undefined).embeddings).toBeUndefined();
  expect(read({ baseUrl: 'http://models.lan/v1', model: 'm' }).embeddings).toBeDefined();
});

describe('refuses', () => {
  it.each<[string, unknown, RegExp]>([
    ['no model', { baseUrl: 'https://a.example/v1' }, /embeddings.model/],
    ['no address', { model: 'm' }, /embeddings.baseUrl/],
    ['a key alone', { keyEnv: 'KEY' }, /embeddings.baseUrl/],
    ['no address at all', { baseUrl: 'models', model: 'm' }, /not a base URL/],
    ['a variable that is not set', { baseUrl: 'https://a.example', model: 'm', keyEnv: 'NONE' }, /"NONE"/],
    ['what no variable is called', { baseUrl: 'https://a.example', model: 'm', keyEnv: 'a b' }, /keyEnv/],
    ['a key over http', { baseUrl: 'http://a.example/v1', model: 'm', keyEnv: 'KEY' }, /not an https/],
    ['a password in the address', { baseUrl: 'https://u:p@a.example', model: 'm' }, /not a base URL/],
    ['no dimensions', { baseUrl: 'https://a.example', model: 'm', dimensions: 0 }, /dimensions/],
    ['an unknown key', { url: 'https://a.example', model: 'm' }, /embeddings.url/],
  ])('%s', (_, embeddings, said) => {
    expect(() => read(embeddings)).toThrow(said);
    expect(() => read(embeddings)).toThrow(SessionError);
    const { faults } = configFaults(['doctor', '--config', 'f'], machineWith(embeddings), commands);
    expect(faults.map(({ message }) => message).join()).toMatch(said);
  });
});
