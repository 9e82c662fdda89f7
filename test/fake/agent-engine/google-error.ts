import type { JsonObject } from '../../../src/model/json.ts';

/** An error answer in Google's form, with the texts that adk-go recorded. */
export class GoogleError extends Error {
  readonly http: number;
  readonly status: string;
  readonly fields: readonly { field: string; description: string }[];
  readonly debug: string | undefined;

  constructor(
    status: keyof typeof httpOf,
    message: string,
    more: { fields?: { field: string; description: string }[]; debug?: string } = {},
  ) {
    super(message);
    this.http = httpOf[status];
    this.status = status;
    this.fields = more.fields ?? [];
    this.debug = more.debug;
  }
}

const httpOf = {
  INVALID_ARGUMENT: 400,
  FAILED_PRECONDITION: 400,
  UNAUTHENTICATED: 401,
  PERMISSION_DENIED: 403,
  NOT_FOUND: 404,
  RESOURCE_EXHAUSTED: 429,
  UNAVAILABLE: 503,
} as const;

export function envelope(error: GoogleError): JsonObject {
  const details = [
    ...(error.fields.length === 0
      ? []
      : [{ '@type': 'type.googleapis.com/google.rpc.BadRequest', fieldViolations: error.fields }]),
    {
      '@type': 'type.googleapis.com/google.rpc.DebugInfo',
      detail: `[ORIGINAL ERROR] generic::${error.status.toLowerCase()}: ${error.debug ?? error.message} [google.rpc.error_details_ext] { message: "${error.debug ?? error.message}" }`,
    },
  ];
  return { error: { code: error.http, message: error.message, status: error.status, details } };
}

/** The answer of Google's front end to an unknown path. */
export const notFoundPage = (path: string): string =>
  `<!DOCTYPE html>\n<html lang=en>\n<title>Error 404 (Not Found)!!1</title>\n<p><b>404.</b> <ins>That’s an error.</ins>\n<p>The requested URL <code>${path.replace(/[&<>]/g, '')}</code> was not found on this server.\n`;

export function badField(field: string, description: string): GoogleError {
  return new GoogleError('INVALID_ARGUMENT', description, { fields: [{ field, description }] });
}
