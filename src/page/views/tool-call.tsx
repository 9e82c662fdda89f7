import { useId, useState } from 'preact/hooks';
import { preview } from '../../model/text.ts';
import { type CallView, msBetween } from '../model/rows.ts';
import { plainName } from '../model/text.ts';
import { duration } from '../model/time.ts';
import { outputOf } from '../model/tool-output.ts';
import { Fields } from './fields.tsx';
import { JsonView } from './long-text.tsx';
import { usePage } from './page-context.ts';

/** A tool call folded together with its answer. */
export function ToolCallView({ view }: { view: CallView }) {
  const page = usePage();
  const opened = page.opened.value;
  const { call, answer, calledAt } = view;
  const open = opened?.openCalls.value.find(({ id }) => id === call.id);
  const failed = answer !== undefined && isFailure(answer.response.response);
  const state =
    answer === undefined
      ? open === undefined
        ? 'no answer'
        : 'waits for an answer'
      : failed
        ? 'failed'
        : 'done';
  return (
    <div class={`tool-call ${answer === undefined ? 'is-open' : ''}`}>
      <details>
        <summary>
          <span class="tool-name">{plainName(call.name)}</span>
          <span class="tool-args" dir="auto">
            {shortArgs(call.args)}
          </span>
          <span class={`tool-state ${failed ? 'is-bad' : ''}`}>
            {state}
            {answer === undefined ? '' : ` in ${duration(msBetween(calledAt, answer.answeredAt))}`}
          </span>
        </summary>
        <div class="tool-body">
          <div class="tool-label">Arguments</div>
          <JsonView value={call.args ?? {}} label={`Arguments of ${plainName(call.name)}`} />
          {answer !== undefined && (
            <>
              <div class="tool-label">Answer</div>
              <JsonView value={answer.response.response ?? {}} label={`Answer of ${plainName(call.name)}`} />
            </>
          )}
        </div>
      </details>
      {open !== undefined && page.calls.has('submit_tool_outputs') && (
        <AnswerForm callId={open.id} name={call.name} />
      )}
    </div>
  );
}

/** Tools say that they failed in the ways of ADK and of MCP. */
function isFailure(response: Record<string, unknown> | undefined): boolean {
  return response !== undefined && (response.error !== undefined || response.isError === true);
}

function shortArgs(args: Record<string, unknown> | undefined): string {
  const text = Object.entries(args ?? {})
    .map(([name, value]) => `${name}: ${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(', ');
  return plainName(preview(text, 120));
}

function AnswerForm({ callId, name }: { callId: string; name: string }) {
  const page = usePage();
  const [text, setText] = useState('');
  const id = useId();
  const submit = (isError: boolean) =>
    page.attempt(async () => {
      const session = page.opened.value;
      if (session === undefined) return undefined;
      const outputs = [{ toolCallId: callId, ...(isError ? { error: text } : { output: outputOf(text) }) }];
      await page.calls.call('submit_tool_outputs', { ...session.argsOf(), outputs });
      setText('');
      return `The call of ${plainName(name)} is answered.`;
    });
  return (
    <Fields class="answer-form" onDone={() => void submit(false)}>
      <label for={id}>Answer for {plainName(name)}</label>
      <textarea
        id={id}
        rows={2}
        placeholder="A text, or JSON"
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
      />
      <div class="buttons">
        <button type="button" class="primary" disabled={text.trim() === ''} onClick={() => submit(false)}>
          Answer
        </button>
        <button type="button" disabled={text.trim() === ''} onClick={() => submit(true)}>
          Answer as an error
        </button>
      </div>
    </Fields>
  );
}
