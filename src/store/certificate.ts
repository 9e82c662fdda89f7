import { SessionError } from '../errors.ts';

/** Codes of TLS in Node.js when it does not trust the other side (nodejs.org/api/tls.html, "X509 certificate error codes"). */
const distrust = /^(ERR_TLS_CERT|CERT_|SELF_SIGNED_CERT|DEPTH_ZERO|UNABLE_TO_(VERIFY|GET_ISSUER))/;

/** Whether the server's certificate was refused: trying again does not help. */
export function isDistrusted(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' && distrust.test(code);
}

export const distrusted = (location: string, hint: string, cause: unknown): SessionError =>
  new SessionError('FAILED_PRECONDITION', `The certificate of the database at ${location} is not trusted.`, {
    hint,
    cause,
  });
