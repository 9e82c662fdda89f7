/**
 * append_event over HTTP beside a tool that does nothing on the same SDK and transport, the same tool on the
 * SDK's own handler for Node, and bare node:http; calls per second and the server's CPU for a call. Rounds
 * take turns, so that what else the machine does hits all alike; the figures are medians.
 */
import { readFileSync } from 'node:fs';
import { callModern, post, type Server, start } from './http-client.ts';
import { newcomers } from './http-newcomers.ts';
import { bundled, fixed, heading, machine, median, rate, row, scratch, whole } from './tools.ts';

type Json = Record<string, unknown>;

const rounds = Number(process.env.BENCH_ROUNDS ?? 7);
const calls = Number(process.env.BENCH_CALLS ?? 3000);
const lanes = 32;
async function openSession(server: Server): Promise<string> {
  const params = {
    protocolVersion: '2025-11-25',
    capabilities: {},
    clientInfo: { name: 'bench', version: '1' },
  };
  const { headers } = await post(server, {}, { id: 0, method: 'initialize', params });
  return String(headers['mcp-session-id']);
}

const callLegacy = (server: Server, session: string, name: string, args: Json) => (id: number) =>
  post(
    server,
    { 'mcp-protocol-version': '2025-11-25', 'mcp-session-id': session },
    { id, method: 'tools/call', params: { name, arguments: args } },
  );

/** Linux: user and system time of a process in microseconds. */
function cpu({ child }: Server): number {
  const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

interface Contender {
  name: string;
  server: Server;
  call(i: number): Promise<unknown>;
  rates: number[];
  costs: number[];
}

async function round(contender: Contender): Promise<void> {
  const before = cpu(contender.server);
  contender.rates.push(await rate(calls, lanes, contender.call));
  contender.costs.push((cpu(contender.server) - before) / calls);
}

async function newSession(server: Server): Promise<string> {
  const { text } = await callModern(server, 'create_session', {})(1);
  const answer = JSON.parse(text) as { result: { structuredContent: { session: { id: string } } } };
  return answer.result.structuredContent.session.id;
}

export default async function run(): Promise<void> {
  const product = await bundled('src/main.ts');
  const others = await bundled('bench/http-server.ts');
  const serve = (durability: string) =>
    start(product, [
      ...['http', '--port', '0', '--rate-limit', '0', '--access-log', process.env.BENCH_ACCESS_LOG ?? 'off'],
      ...['--store', `sqlite:${scratch()}/s.db`, '--durability', durability],
    ]);
  const [bare, sdk, ours, full, normal] = await Promise.all([
    start(others, ['bare']),
    start(others, ['sdk']),
    start(others, ['ours']),
    serve('full'),
    serve('normal'),
  ]);
  const append = async (server: Server) => ({ sessionId: await newSession(server), text: 'hello' });
  const fullArgs = await append(full);
  const normalArgs = await append(normal);
  const fullSession = await openSession(full);
  const oursSession = await openSession(ours);
  const contender = (name: string, server: Server, call: Contender['call']): Contender => ({
    name,
    server,
    call,
    rates: [],
    costs: [],
  });
  const all = {
    bare: contender('bare node:http, JSON in and out', bare, callModern(bare, 'noop', {})),
    sdk: contender('no-op tool, the SDK’s Node handler, 2026', sdk, callModern(sdk, 'noop', {})),
    ours: contender('no-op tool, our transport, 2026', ours, callModern(ours, 'noop', {})),
    full: contender('append_event, durable, 2026', full, callModern(full, 'append_event', fullArgs)),
    normal: contender('append_event, normal, 2026', normal, callModern(normal, 'append_event', normalArgs)),
    oursOld: contender('no-op tool, our transport, 2025', ours, callLegacy(ours, oursSession, 'noop', {})),
    fullOld: contender(
      'append_event, durable, 2025',
      full,
      callLegacy(full, fullSession, 'append_event', fullArgs),
    ),
  };
  const contenders = Object.values(all);
  for (const one of contenders) await rate(1500, lanes, one.call);
  for (let i = 0; i < rounds; i += 1) for (const one of contenders) await round(one);
  for (const { server } of contenders) server.child.kill();

  machine();
  heading(`HTTP, ${lanes} calls in flight, ${rounds} rounds of ${calls}`);
  for (const { name, rates, costs } of contenders)
    row(name, `${whole(median(rates))} calls/s, ${whole(median(costs))} µs CPU/call`);
  const ratio = (a: number[], b: number[]) => median(a.map((value, i) => value / (b[i] ?? Number.NaN)));
  row('append_event, durable ÷ no-op, 2026, calls/s', fixed(ratio(all.full.rates, all.ours.rates)), '≥ 0.7');
  row('append_event, normal ÷ no-op, 2026, calls/s', fixed(ratio(all.normal.rates, all.ours.rates)), '≥ 0.7');
  row(
    'append_event, durable ÷ no-op, 2025, calls/s',
    fixed(ratio(all.fullOld.rates, all.oursOld.rates)),
    '≥ 0.7',
  );
  row('our transport ÷ the SDK’s, no-op, CPU/call', fixed(ratio(all.ours.costs, all.sdk.costs)), '≤ 0.55');
  await newcomers(others);
}
