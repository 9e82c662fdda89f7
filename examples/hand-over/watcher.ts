/** Watches: takes no part, and hears of every change through a subscription to the session's events. */
import { connect, type Event, tell, textOf } from './client.ts';

const [store = '', sessionId = ''] = process.argv.slice(2);
const uri = `session://default/${sessionId}/events`;
const watcher = await connect('watcher', store);
const seen = new Set<string>();
let ended: () => void = () => {};
const end = new Promise<void>((resolve) => {
  ended = resolve;
});

async function look(): Promise<void> {
  const [content] = (await watcher.client.readResource({ uri })).contents;
  const { events } = JSON.parse(
    content !== undefined && 'text' in content ? content.text : '{"events":[]}',
  ) as {
    events: Event[];
  };
  for (const event of events) {
    if (seen.has(event.id)) continue;
    seen.add(event.id);
    const next = event.actions?.transferAgent;
    tell('watcher', `sees ${event.author}${next === undefined ? '' : ` → ${next}`}: ${textOf(event)}`);
    if (event.actions?.escalate === true) ended();
  }
}

// One look at a time: notifications may come faster than answers.
let looking = Promise.resolve();
watcher.client.setNotificationHandler('notifications/resources/updated', () => {
  looking = looking.then(look);
});
const subscription = await watcher.client.listen({ resourceSubscriptions: [uri] });
looking = looking.then(look);
tell('watcher', 'subscribes');
await end;
await looking;
await subscription.close();
await watcher.close();
tell('watcher', `saw ${seen.size} events`);
