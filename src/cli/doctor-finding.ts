import { SessionError } from '../errors.ts';
import { causeText, type Log } from '../log.ts';

/** One line of the doctor's report. A note is worth knowing and nothing to repair. */
export type Finding =
  | { kind: 'ok'; text: string }
  | { kind: 'note'; text: string; hint: string }
  | { kind: 'fail'; error: SessionError };

/** What a finding is about, in the order in which things must be right. */
const subjects = [
  'configuration',
  'program',
  'store',
  'network',
  'credentials',
  'permissions',
  'http',
  'agents',
  'embeddings',
  'hosts',
] as const;
export type Subject = (typeof subjects)[number];

export interface Checked {
  subject: Subject;
  finding: Finding;
}

export const ok = (text: string): Finding => ({ kind: 'ok', text });
export const note = (text: string, hint: string): Finding => ({ kind: 'note', text, hint });
export const fail = (error: SessionError): Finding => ({ kind: 'fail', error });

/** A failed check. Anything but a SessionError is a fault of this program, and goes to the log. */
export function failed(error: unknown, log: Log): Finding {
  if (error instanceof SessionError) return fail(error);
  log.error('The check failed unexpectedly.', { error });
  return fail(new SessionError('INTERNAL', 'Something went wrong.', { hint: 'See the log above.' }));
}

/** What must be repaired first, then what is worth knowing, then what is well. */
const urgency = { fail: 0, note: 1, ok: 2 } as const;

const byImportance = (a: Checked, b: Checked): number =>
  urgency[a.finding.kind] - urgency[b.finding.kind] ||
  subjects.indexOf(a.subject) - subjects.indexOf(b.subject);

interface Line {
  status: Finding['kind'];
  subject: Subject;
  message: string;
  hint?: string | undefined;
  cause?: string | undefined;
}

function lineOf({ subject, finding }: Checked, secrets: readonly string[]): Line {
  if (finding.kind === 'ok') return { status: 'ok', subject, message: finding.text };
  if (finding.kind === 'note') return { status: 'note', subject, message: finding.text, hint: finding.hint };
  const { message, hint, cause } = finding.error;
  const why = cause === undefined ? undefined : causeText(cause, secrets);
  return { status: 'fail', subject, message, hint, ...(why ? { cause: why } : {}) };
}

/** The report as text, or as one JSON object; and the exit code that it means. */
export function reportOf(
  checked: readonly Checked[],
  { json, secrets }: { json: boolean; secrets: readonly string[] },
): { text: string; code: number } {
  const lines = [...checked].sort(byImportance).map((one) => lineOf(one, secrets));
  const failures = lines.filter(({ status }) => status === 'fail').length;
  const code = failures === 0 ? 0 : 1;
  if (json)
    return { code, text: `${JSON.stringify({ ok: code === 0, failures, checks: lines }, undefined, 2)}\n` };
  const end = failures === 0 ? 'All is well.' : `${failures} to fix.`;
  return { code, text: [...lines.map(lineText), end, ''].join('\n') };
}

const marks = { ok: 'ok   ', note: 'note ', fail: 'FAIL ' } as const;

function lineText({ status, message, hint, cause }: Line): string {
  const more = [cause === undefined ? undefined : `The cause was: ${cause}`, hint];
  const indented = more.flatMap((text) => (text === undefined || text === '' ? [] : [`\n      ${text}`]));
  return `${marks[status]} ${message}${indented.join('')}`;
}
