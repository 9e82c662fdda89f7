import type { CallToolResult } from '@modelcontextprotocol/server';
import { SessionError } from '../../errors.ts';
import type { Log } from '../../log.ts';
import { fitTo } from '../../model/budget.ts';
import { newId } from '../../model/ids.ts';
import type { JsonObject } from '../../model/json.ts';
import { escapeUnseen } from '../../model/text.ts';
import type { ResourceLink } from '../../tools/support/define.ts';

/** The result for a client: structured, again as compact JSON text, and with links to the resources that it names. */
export function toResult(result: JsonObject, links: readonly ResourceLink[] = []): CallToolResult {
  // Older stores and other services may hold values that are nested too deep for JSON, which must not fail a list.
  const { value } = fitTo(result, Number.POSITIVE_INFINITY, 'nested too deep for an answer');
  return {
    structuredContent: value,
    content: [
      { type: 'text', text: visibleJson(value) },
      ...links.map((link) => ({ type: 'resource_link' as const, ...link })),
    ],
  };
}

/**
 * The result for an error. Every error reaches callers through here. One that is not a SessionError becomes INTERNAL
 * with an incident id, under which the log has the details.
 */
export function toErrorResult(error: unknown, log: Log, tool: string): CallToolResult {
  const shown = toSessionError(error, log, tool);
  const body = {
    error: {
      code: shown.code,
      message: shown.message,
      hint: shown.hint,
      retryAfterSeconds: shown.retryAfter,
      ...shown.details,
    },
  };
  return { isError: true, content: [{ type: 'text', text: visibleJson(body) }] };
}

export function toSessionError(error: unknown, log: Log, where: string): SessionError {
  if (error instanceof SessionError) {
    if (error.cause !== undefined) log.warn(error.message, { where, code: error.code, cause: error.cause });
    return error;
  }
  const incident = newId('x');
  log.error('A call failed unexpectedly.', { where, incident, error });
  return new SessionError('INTERNAL', 'Something went wrong in this server.', {
    hint: 'Try again; if it fails again, give the incident id to the operator, who finds it in the log.',
    details: { incident },
  });
}

/** Compact JSON text in which invisible characters, and those that reorder text, are escaped. */
export function visibleJson(value: unknown): string {
  return escapeUnseen(JSON.stringify(value));
}
