/** Plans: gives the worker one dish after the other, and looks at what comes back. */
import { connect, tell, textOf } from './client.ts';

const [store = '', sessionId = ''] = process.argv.slice(2);
const guests = 7;
const dishes = {
  'tomato soup': { servings: 2, ingredients: { 'g tomatoes': 500, onions: 1, 'ml cream': 50 } },
  'rice pudding': { servings: 4, ingredients: { 'g rice': 200, 'ml milk': 1000, 'g sugar': 60 } },
};

const planner = await connect('planner', store);
let after: string | undefined;
for (const [dish, recipe] of Object.entries(dishes)) {
  tell('planner', `asks for ${dish}, for ${guests}, and hands over`);
  await planner.say(sessionId, JSON.stringify({ dish, guests, ...recipe }), { transferAgent: 'worker' });
  const answer = await planner.turn(sessionId, after);
  after = answer.id;
  tell('planner', `has it back: ${textOf(answer)}`);
}
const { text } = (await planner.call('get_artifact', { sessionId, name: 'shopping-list.md' })) as {
  text: string;
};
const lines = text.trim().split('\n').length;
if (lines !== 6) throw new Error(`The shopping list has ${lines} lines.`);
await planner.say(sessionId, `The list is complete: ${lines} lines.`, { escalate: true });
await planner.close();
