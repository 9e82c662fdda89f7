import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type Account, folderFor, installDebian } from './process.ts';

export interface Certificates {
  folder: string;
  /** Whom a client trusts. */
  authority: string;
  /** Of a server at 127.0.0.1. */
  certificate: string;
  key: string;
}

/** An authority of our own, and what it signed for a server on the loopback interface. */
export async function makeCertificates(account?: Account): Promise<Certificates> {
  const folder = folderFor('certificates', account);
  const file = (name: string) => path.join(folder, name);
  const run = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'ignore' });
  if (!existsSync('/usr/bin/openssl')) await installDebian('openssl').catch(() => {});
  const request = ['req', '-newkey', 'rsa:2048', '-nodes', '-sha256'];
  run(...request, '-x509', '-days', '2', '-subj', '/CN=Our authority', '-keyout', 'ca.key', '-out', 'ca.pem');
  run(...request, '-subj', '/CN=127.0.0.1', '-keyout', 'server.key', '-out', 'server.csr');
  writeFileSync(file('names'), 'subjectAltName = IP:127.0.0.1\n');
  const signed = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-extfile', 'names', '-days', '2'];
  run('x509', '-req', '-in', 'server.csr', ...signed, '-out', 'server.pem');
  chmodSync(file('server.key'), 0o600);
  if (account !== undefined) chownSync(file('server.key'), account.uid, account.gid);
  return {
    folder,
    authority: file('ca.pem'),
    certificate: file('server.pem'),
    key: file('server.key'),
  };
}
