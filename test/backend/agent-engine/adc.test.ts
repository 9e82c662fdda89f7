import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { defaultCredentials } from '../../../src/backend/agent-engine/auth.ts';
import { startAgentEngine } from '../../fake/agent-engine/server.ts';
import { scratch } from '../../scratch.ts';
import { fails, open } from './setup.ts';

/** A security token service whose access tokens contain the name of the subject token. */
async function tokenService(): Promise<string> {
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    const subject = new URLSearchParams(body).get('subject_token') ?? '';
    response.writeHead(subject === 'revoked' ? 400 : 200, { 'content-type': 'application/json' });
    response.end(
      subject === 'revoked'
        ? JSON.stringify({ error: 'invalid_grant', error_description: 'The token has expired.' })
        : JSON.stringify({
            access_token: `access-for-${subject}`,
            issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
            token_type: 'Bearer',
            expires_in: 3600,
          }),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`;
}

/** Sets default credentials of a workload identity until the test ends; `login` changes the subject. */
function workloadIdentity(tokenUrl: string): { login(subject: string): void } {
  const dir = scratch();
  const kept = { ...process.env };
  onTestFinished(() => {
    process.env = kept;
  });
  const adc = path.join(dir, 'adc.json');
  const login = (subject: string) => {
    const subjectFile = path.join(dir, subject);
    writeFileSync(subjectFile, subject);
    writeFileSync(
      adc,
      JSON.stringify({
        type: 'external_account',
        audience: '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/x',
        subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
        token_url: tokenUrl,
        credential_source: { file: subjectFile },
        quota_project_id: 'paying-project',
      }),
    );
  };
  delete process.env.GOOGLE_CLOUD_QUOTA_PROJECT;
  process.env.GOOGLE_APPLICATION_CREDENTIALS = adc;
  return { login };
}

it('a workload identity is used, and a new login counts while the process runs', async () => {
  const fake = await startAgentEngine();
  onTestFinished(() => fake.close());
  const { login } = workloadIdentity(await tokenService());
  login('first');
  const backend = await open(fake, { auth: 'adc' });
  const owner = { app: fake.engine.id, userId: 'ada' };
  fake.token = 'access-for-first';
  const { id } = await backend.sessions.create(owner, {});
  expect(fake.requests[0]?.headers['x-goog-user-project']).toBe('paying-project');
  // The service no longer accepts the old token, and the user logs in again.
  fake.token = 'access-for-second';
  await fails(backend.sessions.get({ ...owner, sessionId: id }), 'UNAUTHENTICATED');
  login('revoked');
  const expired = await fails(backend.sessions.get({ ...owner, sessionId: id }), 'UNAUTHENTICATED');
  expect(expired.message).toBe('The Google credentials have expired.');
  expect(expired.hint).toContain('gcloud auth application-default login');
  login('second');
  expect((await backend.sessions.get({ ...owner, sessionId: id })).id).toBe(id);
});

it('a token service in trouble is no lack of credentials', async () => {
  // Errors as the library throws them: a GaxiosError of the token service, or of the network.
  const failing = (error: object) => async () => {
    throw Object.assign(new Error('Request failed'), error);
  };
  const headers = (error: object) => defaultCredentials('https://x', {}, failing(error)).headers();
  const broken = await fails(headers({ status: 500, code: 'ERR_BAD_RESPONSE' }), 'UNAVAILABLE');
  expect(broken.message).toBe('Google’s token service failed to answer.');
  expect(broken.hint).not.toContain('gcloud');
  for (const status of [429, 502, 503]) await fails(headers({ response: { status } }), 'UNAVAILABLE');
  for (const code of ['ECONNREFUSED', 'ENOTFOUND', 'ETIMEDOUT'])
    await fails(headers({ code }), 'UNAVAILABLE');
  await fails(headers({ status: 400 }), 'UNAUTHENTICATED');
  await fails(headers({ code: 'ENOENT' }), 'UNAUTHENTICATED');
});

it('the library reaches the token service through the proxy of the environment', async () => {
  const kept = { ...process.env };
  onTestFinished(() => {
    process.env = kept;
  });
  const asked: string[] = [];
  const proxy = createServer();
  proxy.on('connect', (request, socket) => {
    asked.push(request.url ?? '');
    socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    proxy.close();
  });
  process.env.HTTPS_PROXY = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  workloadIdentity('https://sts.example.invalid/token').login('first');
  process.env.METADATA_SERVER_DETECTION = 'none';
  await fails(defaultCredentials('https://x', { own: 'my-proj' }).headers(), 'UNAUTHENTICATED');
  expect(asked).toEqual(['sts.example.invalid:443']);
});
