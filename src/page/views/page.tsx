import { useState } from 'preact/hooks';
import { QuestionDialog } from './dialog.tsx';
import { Fields } from './fields.tsx';
import { usePage } from './page-context.ts';
import { SessionListView } from './session-list.tsx';
import { SessionView } from './session-view.tsx';

/** The whole page: the list of sessions beside the one that is open, or one of them where there is no room. */
export function Page() {
  const page = usePage();
  const connection = page.calls.connection.value;
  const opened = page.opened.value;
  if (connection === 'token') return <SignIn />;
  return (
    <div class={`page ${opened === undefined ? 'shows-list' : 'shows-session'}`}>
      <Lost />
      <div class="session-list" role={opened === undefined ? 'main' : undefined}>
        {opened === undefined && <h1>Sessions</h1>}
        <SessionListView />
      </div>
      {opened === undefined ? (
        <aside class="session nothing" aria-label="Session">
          <p class="empty">Choose a session.</p>
        </aside>
      ) : (
        <SessionView key={JSON.stringify(opened.ref)} opened={opened} />
      )}
      <Notice />
      <QuestionDialog />
    </div>
  );
}

/** Says that the server cannot be reached, and disappears when it can. */
function Lost() {
  const { connection } = usePage().calls;
  return (
    <div role="status" class="lost">
      {connection.value === 'lost' && <p>The server does not answer. This page tries again by itself.</p>}
    </div>
  );
}

function Notice() {
  const { notice } = usePage();
  const { text, isBad } = notice.value ?? { text: '', isBad: false };
  return (
    <div class="notices" role={isBad ? 'alert' : 'status'}>
      {text !== '' && (
        <p class={isBad ? 'notice is-bad' : 'notice'}>
          <span dir="auto">{text}</span>
          <button
            type="button"
            class="quiet"
            aria-label="Close this message"
            onClick={() => {
              notice.value = undefined;
            }}
          >
            ✕
          </button>
        </p>
      )}
    </div>
  );
}

function SignIn() {
  const page = usePage();
  const [token, setToken] = useState('');
  return (
    <main class="sign-in">
      <h1>Sessions</h1>
      <p>This server wants to know who you are. The token stays in this tab and is gone when you close it.</p>
      <Fields class="stack" onDone={() => void page.signIn(token.trim())}>
        <label class="field">
          Token
          <input
            type="password"
            autocomplete="off"
            value={token}
            onInput={(event) => setToken(event.currentTarget.value)}
          />
        </label>
        <button
          type="button"
          class="primary"
          disabled={token.trim() === ''}
          onClick={() => page.signIn(token.trim())}
        >
          Open
        </button>
      </Fields>
      <p class="note">
        If <code>agent-sessions-mcp open</code> brought you here, its address has been used: run it again.
      </p>
      <Notice />
    </main>
  );
}
