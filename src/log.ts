/** One line of JSON per entry, to stderr: stdout belongs to the protocol. */
export interface Log {
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
}

export function createLog(write: (line: string) => void): Log {
  const at = (level: string) => (message: string, fields?: Record<string, unknown>) =>
    write(`${JSON.stringify({ time: new Date().toISOString(), level, message, ...fields }, redactMember)}\n`);
  return { info: at('info'), warn: at('warn'), error: at('error') };
}

/** The same log with these fields on every entry. */
export function logWith(log: Log, fields: Record<string, unknown>): Log {
  return {
    info: (message, more) => log.info(message, { ...fields, ...more }),
    warn: (message, more) => log.warn(message, { ...fields, ...more }),
    error: (message, more) => log.error(message, { ...fields, ...more }),
  };
}

const secretName = /(token|secret|password|passwd|authorization|api[-_]?key|credential|cookie)/i;

function redactMember(key: string, value: unknown): unknown {
  if (secretName.test(key) && value !== undefined && typeof value !== 'number') return '[redacted]';
  if (value instanceof Error) return describeError(value);
  return typeof value === 'string' ? redact(value) : value;
}

/** Text without what looks like a credential: bearer tokens, JWTs, API keys, passwords in URLs. */
function redact(text: string): string {
  return text
    .replace(/\b(Bearer|Basic)\s+[\w.~+/=-]+/gi, '$1 [redacted]')
    .replace(/\beyJ[\w-]+\.[\w-]+\.[\w-]*/g, '[redacted]')
    .replace(/\b(AIza[\w-]{20,}|ya29\.[\w.-]+|z[uqw]t_[\w-]+|sk-[\w-]{16,})/g, '[redacted]')
    .replace(/([?&](?:key|token|access_token|api_key)=)[^&\s"]+/gi, '$1[redacted]')
    .replace(/(\b[a-z][a-z0-9+.-]*:\/\/[^\s:/@]*:)[^\s@/]+@/gi, '$1[redacted]@');
}

/** An error with its stack and causes, for the log only. */
function describeError(error: Error): unknown {
  return {
    name: error.name,
    message: redact(error.message),
    stack: redact(error.stack ?? '')
      .split('\n')
      .slice(1, 6)
      .map((line) => line.trim()),
    ...(error.cause === undefined
      ? {}
      : { cause: error.cause instanceof Error ? describeError(error.cause) : String(error.cause) }),
  };
}
