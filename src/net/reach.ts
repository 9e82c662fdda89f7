import { SessionError } from '../errors.ts';
import { timeLimit } from './time-limit.ts';

/**
 * Asks an address for anything at all: whatever answers, a refusal included, is reached.
 * @throws SessionError UNAVAILABLE with the reason as its cause; DEADLINE_EXCEEDED
 */
export async function reach(url: string, ms: number): Promise<void> {
  const late = () =>
    new SessionError('DEADLINE_EXCEEDED', `Nothing at ${url} answered within ${ms / 1000} s.`, {
      hint: 'Check the address, the network and the proxy.',
    });
  const limit = timeLimit({ ms, reason: late });
  try {
    const response = await fetch(url, { redirect: 'manual', signal: limit.signal });
    await response.body?.cancel();
  } catch (cause) {
    if (limit.signal.aborted && limit.signal.reason instanceof SessionError) throw limit.signal.reason;
    throw new SessionError('UNAVAILABLE', `Nothing answers at ${url}.`, {
      hint: 'Check the address, that the service runs, the network, and HTTPS_PROXY behind a proxy.',
      cause,
    });
  } finally {
    limit.end();
  }
}
