import { useState } from 'preact/hooks';
import { cutEnd } from '../../model/text.ts';
import { shownText } from '../model/text.ts';

/** Characters that are put into the document at once. */
const piece = 20_000;

/** A text as it is, of any length: as much as anybody reads, and more of it when asked. */
export function LongText({
  text,
  label,
  dir = 'auto',
}: {
  text: string;
  label: string;
  dir?: 'auto' | 'ltr';
}) {
  const [shown, setShown] = useState(piece);
  const left = text.length - shown;
  return (
    <>
      <pre class="long-text" dir={dir} tabIndex={0} role="group" aria-label={label}>
        {shownText(left > 0 ? cutEnd(text, shown) : text)}
      </pre>
      {left > 0 && (
        <button type="button" class="quiet" onClick={() => setShown(shown + piece)}>
          Show more ({left.toLocaleString()} characters left)
        </button>
      )}
    </>
  );
}

/** A value of JSON, indented. */
export const JsonView = ({ value, label }: { value: unknown; label: string }) => (
  <LongText
    text={typeof value === 'string' ? value : (JSON.stringify(value, null, 2) ?? 'undefined')}
    label={label}
  />
);
