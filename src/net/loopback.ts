import { isIPv4 } from 'node:net';

/** Whether the host of a URL or of a listener can only mean this machine. */
export function isLoopback(host: string): boolean {
  if (isIPv4(host)) return host.startsWith('127.');
  return /^(localhost|\[::1\]|::1)$/i.test(host);
}
