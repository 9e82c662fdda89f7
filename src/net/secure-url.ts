import { invalidArgument } from '../errors.ts';
import { isLoopback } from './loopback.ts';

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
