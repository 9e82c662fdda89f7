/** A bare pipe: for every line on stdin one request to the endpoint, its answer to stdout as it comes. */
import { createInterface } from 'node:readline';

const [url] = process.argv.slice(2);
for await (const line of createInterface({ input: process.stdin })) {
  const response = await fetch(url, {
    method: 'POST',
    body: line,
    headers: { 'content-type': 'application/json' },
  });
  for await (const chunk of response.body) process.stdout.write(chunk);
  process.stdout.write('\n[end]\n');
}
