import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { plainName } from '../model/text.ts';
import { Fields } from './fields.tsx';
import { type Question, usePage } from './page-context.ts';

/** Asks the one open question of the page. */
export function QuestionDialog() {
  const question = usePage().question.value;
  return question === undefined ? undefined : <Asked key={question.title} question={question} />;
}

function Asked({ question }: { question: Question }) {
  const page = usePage();
  const dialog = useRef<HTMLDialogElement>(null);
  const [text, setText] = useState(question.field?.value ?? '');
  const id = useId();
  useEffect(() => dialog.current?.showModal(), []);
  const close = () => {
    page.question.value = undefined;
  };
  const agree = () => {
    dialog.current?.close();
    void question.run(text.trim());
  };
  return (
    <dialog ref={dialog} aria-labelledby={`${id}-title`} aria-describedby={`${id}-text`} onClose={close}>
      <Fields class="stack" onDone={agree}>
        <h2 id={`${id}-title`}>{question.title}</h2>
        <p id={`${id}-text`} dir="auto">
          {question.text}
        </p>
        {question.detail !== undefined && (
          <p class="detail" dir="ltr">
            {plainName(question.detail)}
          </p>
        )}
        {question.field !== undefined && (
          <label class="field">
            {question.field.label}
            <input
              value={text}
              maxLength={500}
              dir="auto"
              onInput={(event) => setText(event.currentTarget.value)}
            />
          </label>
        )}
        <div class="buttons">
          <button type="button" onClick={() => dialog.current?.close()}>
            Cancel
          </button>
          <button
            type="button"
            onClick={agree}
            class={question.destroys === true ? 'primary bad' : 'primary'}
          >
            {question.yes}
          </button>
        </div>
      </Fields>
    </dialog>
  );
}
