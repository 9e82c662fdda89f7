import { PassThrough } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { openLineTransport } from '../../../src/server/stdio-transport.ts';

type Json = Record<string, unknown>;

function open(maxBytes = 1000) {
  const [stdin, stdout] = [new PassThrough(), new PassThrough()];
  const seen: unknown[] = [];
  const transport = openLineTransport({ stdin, stdout }, maxBytes);
  transport.onmessage = (message) => seen.push(message);
  let closed = 0;
  transport.onclose = () => {
    closed += 1;
  };
  void transport.start();
  return {
    transport,
    seen,
    stdin,
    stdout,
    closed: () => closed,
    async send(...chunks: (string | Buffer)[]) {
      for (const chunk of chunks) stdin.write(chunk);
      await new Promise((resolve) => setTimeout(resolve, 5));
    },
    answers: (): Json[] =>
      String(stdout.read() ?? '')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Json),
  };
}

const call = (id: number | string, text = '') => ({
  jsonrpc: '2.0',
  id,
  method: 'tools/call',
  params: { name: 'x', arguments: { text } },
});
const line = (message: unknown) => `${JSON.stringify(message)}\n`;

describe('messages on stdin', () => {
  it('come out whole and in order, however they are cut into chunks', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.string({ unit: 'grapheme', maxLength: 20 }), { maxLength: 5 }),
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }),
        async (texts, sizes) => {
          const sent = texts.map((text, i) => call(i, text));
          const bytes = Buffer.from(sent.map(line).join('\r\n'));
          const wire = open();
          const chunks: Buffer[] = [];
          for (let at = 0, i = 0; at < bytes.length; i += 1) {
            const size = sizes[i % sizes.length] ?? 1;
            chunks.push(bytes.subarray(at, at + size));
            at += size;
          }
          await wire.send(...chunks);
          expect(wire.seen).toEqual(sent);
          expect(wire.answers()).toEqual([]);
        },
      ),
      { numRuns: 60 },
    );
  });

  it.each<[string, string | Buffer, number, unknown]>([
    ['no JSON', 'hello\n', -32700, null],
    ['no message', '{"jsonrpc":"2.0"}\n', -32600, null],
    ['no message, with an id', '{"id":7,"method":3}\n', -32600, 7],
    ['a list', '[]\n', -32600, null],
    [
      'no UTF-8',
      Buffer.concat([
        Buffer.from('{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":"'),
        Buffer.from([0xff, 0xc3]),
        Buffer.from('"}}\n'),
      ]),
      -32700,
      null,
    ],
    [
      'an argument that the library would drop',
      '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","arguments":{"__proto__":1}}}\n',
      -32602,
      1,
    ],
  ])('that are %s get an answer, and the next is served', async (_what, bytes, code, id) => {
    const wire = open();
    await wire.send(bytes, ' \n', line(call(2)));
    expect(wire.answers()).toEqual([{ jsonrpc: '2.0', id, error: { code, message: expect.any(String) } }]);
    expect(wire.seen).toEqual([call(2)]);
  });

  it('that are too long are refused under their id, in every order that clients write', async () => {
    const text = 'x'.repeat(20_000);
    const params = { name: 'x', arguments: { text, id: 99 } };
    const orders: [unknown, unknown][] = [
      [1, { jsonrpc: '2.0', id: 1, method: 'm', params }],
      [2, { method: 'm', params, jsonrpc: '2.0', id: 2 }],
      ['drei "3"', { jsonrpc: '2.0', id: 'drei "3"', method: 'm', params }],
      [4, { id: 4, jsonrpc: '2.0', method: 'm', params }],
      [5, { method: 'm', params, id: 5, jsonrpc: '2.0' }],
      [null, { method: 'm', jsonrpc: '2.0', params: { text, id: 6 } }],
      [null, { jsonrpc: '2.0', method: 'notifications/x', params }],
    ];
    const wire = open();
    for (const [id, message] of orders) {
      await wire.send(line(message));
      expect(wire.answers()).toEqual([
        { jsonrpc: '2.0', id, error: { code: -32600, message: expect.stringContaining('1000 bytes') } },
      ]);
    }
    await wire.send(line(call(8)));
    expect(wire.seen).toEqual([call(8)]);
  });

  it('just as long as they may be are served', async () => {
    const message = call(1, 'x'.repeat(1000 - line(call(1)).length + 1));
    const wire = open();
    await wire.send(line(message), line(call(2, `${'x'.repeat(1000)}`)));
    expect(wire.seen).toEqual([message]);
    expect(wire.answers()).toMatchObject([{ id: 2 }]);
  });

  it('end with the stream, once', async () => {
    const wire = open();
    wire.stdin.end(line(call(1)));
    await new Promise((resolve) => setTimeout(resolve, 10));
    await wire.transport.close();
    expect([wire.seen.length, wire.closed()]).toEqual([1, 1]);
    await expect(wire.transport.send({ jsonrpc: '2.0', method: 'x' })).rejects.toThrow(/closed/);
    wire.stdout.emit('error', new Error('EPIPE'));
  });

  it('cost by their length', () => {
    const time = (bytes: number) => {
      const [stdin, stdout] = [new PassThrough(), new PassThrough()];
      const transport = openLineTransport({ stdin, stdout }, 1e9);
      let got = 0;
      transport.onmessage = () => {
        got += 1;
      };
      void transport.start();
      const chunk = Buffer.alloc(4096, 'x');
      const began = performance.now();
      stdin.emit('data', Buffer.from('{"jsonrpc":"2.0","id":1,"method":"m","params":{"t":"'));
      for (let sent = 0; sent < bytes; sent += chunk.length) stdin.emit('data', chunk);
      stdin.emit('data', Buffer.from('"}}\n'));
      expect(got).toBe(1);
      return performance.now() - began;
    };
    time(1_000_000);
    // If the cost grew with the square, it would be 64 times as much.
    expect(time(16_000_000)).toBeLessThan(32 * Math.max(5, time(2_000_000)));
  });
});

describe('answers', () => {
  it('that are ready together go out in one write, in order', async () => {
    const wire = open();
    const write = vi.spyOn(wire.stdout, 'write');
    const result = (id: number) => ({ jsonrpc: '2.0' as const, id, result: {} });
    const later = async (id: number) => {
      for (let i = 0; i < id; i += 1) await undefined;
      await wire.transport.send(result(id));
    };
    await Promise.all([1, 2, 3, 4].map(later));
    expect(write).toHaveBeenCalledTimes(1);
    await wire.transport.send(result(5));
    expect(wire.answers()).toEqual([1, 2, 3, 4, 5].map(result));
  });

  it('wait until the reader takes more', async () => {
    const wire = open();
    const large = { jsonrpc: '2.0' as const, id: 1, result: { text: 'x'.repeat(100_000) } };
    let sent = false;
    const sending = wire.transport.send(large).then(() => {
      sent = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(sent).toBe(false);
    expect(wire.answers()).toEqual([large]);
    await sending;
  });

  it('that were given before the end are sent', async () => {
    const wire = open();
    const sending = wire.transport.send({ jsonrpc: '2.0', id: 1, result: {} });
    await wire.transport.close();
    await sending;
    expect(wire.answers()).toMatchObject([{ id: 1 }]);
  });
});
