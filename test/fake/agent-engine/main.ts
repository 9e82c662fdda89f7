import { startAgentEngine } from './server.ts';

/** The fake in a process of its own, for benchmarks. It prints its address and engine, and ends with its parent. */
const fake = await startAgentEngine();
fake.requests.push = () => 0;
process.send?.({ url: fake.url, engineId: fake.engine.id });
process.on('disconnect', () => process.exit(0));
