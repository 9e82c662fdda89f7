import { useId, useState } from 'preact/hooks';
import { Fields } from './fields.tsx';
import { usePage } from './page-context.ts';

/** What a run says while its agent is silent; it is no part of the answer. */
const stillWorking = /^The agent has been working for \d+ s\.$/;
const waitSeconds = 50;

/** Sends a message to the session's agent, and shows its answer as it is spoken. */
export function Composer() {
  const page = usePage();
  const [text, setText] = useState('');
  const [isRunning, setRunning] = useState(false);
  const id = useId();
  const opened = page.opened.value;
  const tool = ['stream_query', 'query'].find((name) => page.calls.has(name));
  if (tool === undefined || opened === undefined) return undefined;

  async function send(): Promise<void> {
    const message = text.trim();
    if (isRunning || message === '' || opened === undefined || tool === undefined) return;
    setRunning(true);
    setText('');
    await page.attempt(async () => {
      try {
        const { status } = await page.calls.call(
          tool,
          { ...opened.argsOf(), message, waitSeconds },
          {
            onProgress(words) {
              if (stillWorking.test(words)) opened.speech.value ||= '…';
              else opened.speech.value = `${opened.speech.value.replace(/^…$/, '')}${words}`;
            },
          },
        );
        return status === 'running' ? 'The agent goes on working; what it says appears here.' : undefined;
      } catch (error) {
        setText((now) => now || message);
        throw error;
      } finally {
        opened.speech.value = '';
        setRunning(false);
      }
    });
  }

  return (
    <Fields class="composer" onDone={() => void send()}>
      <label class="unseen" for={id}>
        Message to the agent
      </label>
      <textarea
        id={id}
        rows={Math.min(8, Math.max(1, text.split('\n').length))}
        dir="auto"
        placeholder="Message to the agent"
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
          event.preventDefault();
          void send();
        }}
      />
      <button type="button" class="primary" onClick={send} disabled={isRunning || text.trim() === ''}>
        {isRunning ? 'Running…' : 'Send'}
      </button>
    </Fields>
  );
}
