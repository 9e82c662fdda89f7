import { invalidArgument } from '../errors.ts';

/**
 * An address that may be trusted to be who it says: https, or http on this machine.
 * @throws SessionError INVALID_ARGUMENT
 */
export function secureUrl(what: string, text: string): string {
  const url = URL.parse(text);
  const local = url !== null && isLoopback(url.hostname);
  if (url === null || !(url.protocol === 'https:' || (local && url.protocol === 'http:')))
    throw invalidArgument(`${what} is not an https address.`, 'Use https; http is for this machine only.');
  return text;
}

/** Whether a host name or address can only mean this machine. */
export function isLoopback(host: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/i.test(host);
}
