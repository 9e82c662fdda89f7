import { CallFailure } from '../bridge/types.ts';

/** What went wrong, and what can be done about it. */
export function Failure({ error, retry }: { error: unknown; retry?: () => void }) {
  return (
    <div class="problem" role="alert">
      {textOfFailure(error)}
      {retry !== undefined && (
        <button type="button" class="quiet" onClick={retry}>
          Try again
        </button>
      )}
    </div>
  );
}

export function textOfFailure(error: unknown): string {
  if (error instanceof CallFailure)
    return error.hint === undefined ? error.message : `${error.message} ${error.hint}`;
  return 'Something went wrong on this page.';
}
