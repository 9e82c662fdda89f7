/** Works: whenever the session is handed to it, it scales a recipe and adds to the shopping list. */
import { connect, tell, textOf } from './client.ts';

interface Task {
  dish: string;
  guests: number;
  servings: number;
  ingredients: Record<string, number>;
}

const [store = '', sessionId = ''] = process.argv.slice(2);
const worker = await connect('worker', store);
let list = '';
let after: string | undefined;
for (;;) {
  const event = await worker.turn(sessionId, after);
  after = event.id;
  if (event.actions?.escalate === true) break;
  const task = JSON.parse(textOf(event)) as Task;
  tell('worker', `is handed ${task.dish}`);
  for (const [unit, amount] of Object.entries(task.ingredients))
    list += `- ${Math.ceil((amount * task.guests) / task.servings)} ${unit}\n`;
  await worker.call('save_artifact', {
    sessionId,
    name: 'shopping-list.md',
    mimeType: 'text/markdown',
    text: list,
  });
  await worker.say(sessionId, `${task.dish}: on the list`, { transferAgent: 'planner' });
}
await worker.close();
