import { inspect } from 'node:util';
import { escapeUnseen } from './model/text.ts';

/** One line of JSON per entry, to stderr: stdout belongs to the protocol. */
export interface Log {
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
}

/** `secrets` are what the operator configured: they are redacted by value, wherever they turn up. */
export function createLog(write: (line: string) => void, secrets: readonly string[] = []): Log {
  const hide = hiderOf(secrets);
  const at = (level: string) => (message: string, fields?: Record<string, unknown>) =>
    write(`${hide(textOf({ time: new Date().toISOString(), level, message, ...fields }))}\n`);
  return { info: at('info'), warn: at('warn'), error: at('error') };
}

/** A value so short may be a part of anything, and is guarded by nothing anyway. */
const shortestSecret = 6;

/** Takes secrets out of a line of JSON, as they are written in JSON, in a URL or in Basic authentication. */
function hiderOf(secrets: readonly string[]): (line: string) => string {
  const forms = secrets
    .filter((secret) => secret.length >= shortestSecret)
    .flatMap((secret) => [
      secret,
      JSON.stringify(secret).slice(1, -1),
      encodeURIComponent(secret.toWellFormed()),
      Buffer.from(secret).toString('base64'),
    ]);
  // The longest first: one secret may begin with another.
  const all = [...new Set(forms)].sort((a, b) => b.length - a.length);
  return (line) => all.reduce((text, form) => text.replaceAll(form, '[redacted]'), line);
}

/** An entry must never fail the work that it tells of, whatever it was given. */
function textOf(entry: Record<string, unknown>): string {
  try {
    return JSON.stringify(entry, redactMember);
  } catch {
    const { time, level, message, ...fields } = entry;
    return JSON.stringify({ time, level, message, fields: inspectText(fields) }, redactMember);
  }
}

const inspectText = (value: unknown): string =>
  inspect(value, { depth: 3, breakLength: Number.POSITIVE_INFINITY });

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
  if (typeof value === 'bigint') return `${value}`;
  // What was cut in the middle of a character would make the line unreadable for strict readers of JSON.
  return typeof value === 'string' ? redact(value).toWellFormed() : value;
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
    ...(error.cause === undefined ? {} : { cause: describeCause(error.cause) }),
    // Of a connection that was tried over several addresses, each has its own error.
    ...(error instanceof AggregateError ? { errors: error.errors.slice(0, 5).map(describeCause) } : {}),
  };
}

/** The same for a person, on one line and without stacks: what each error says, the outermost first. */
export function causeText(cause: unknown, secrets: readonly string[] = []): string {
  const said: string[] = [];
  let at = cause;
  // An error may be its own cause.
  for (let depth = 0; at !== undefined && depth < 5; depth += 1) {
    const many = at instanceof AggregateError && at.errors.length > 0 ? at.errors.slice(0, 5) : [at];
    said.push(many.map(sayingOf).join('; '));
    at = at instanceof Error ? at.cause : undefined;
  }
  return escapeUnseen(hiderOf(secrets)(said.filter((text) => text !== '').join(': ')));
}

const sayingOf = (cause: unknown): string =>
  redact(
    cause instanceof Error
      ? cause.message || cause.name
      : typeof cause === 'string'
        ? cause
        : (JSON.stringify(describeCause(cause), redactMember) ?? ''),
  );

/** What was thrown or given as a cause: errors and plain data as JSON, objects of other kinds as Node shows them. */
function describeCause(cause: unknown): unknown {
  if (cause instanceof Error) return describeError(cause);
  if (typeof cause !== 'object' || cause === null) return typeof cause === 'bigint' ? `${cause}` : cause;
  const kind: unknown = Object.getPrototypeOf(cause);
  return kind === Object.prototype || kind === null || Array.isArray(cause) ? cause : inspectText(cause);
}
