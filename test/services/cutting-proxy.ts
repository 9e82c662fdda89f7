import { connect, createServer, type Socket } from 'node:net';

/** Which packet to cut at, counted from the moment it was armed, and what becomes of that packet. */
export interface Cut {
  direction: 'to server' | 'to client';
  packet: number;
  how: 'before it' | 'in the middle of it' | 'after it';
  /** Nobody gets through afterwards. */
  forGood?: boolean;
}

export interface CuttingProxy {
  port: number;
  /** Cuts once. */
  arm(cut: Cut): void;
  /** Whether the cut that was armed last has happened. */
  hasCut(): boolean;
  close(): Promise<void>;
}

/** Stands between client and server, passes on what they say, and cuts their connection when it is told to. */
export async function startCuttingProxy(target: { host: string; port: number }): Promise<CuttingProxy> {
  const sockets = new Set<Socket>();
  let armed: Cut | undefined;
  let passed = 0;
  let done = false;
  let isDown = false;

  function pass(chunk: Buffer, direction: Cut['direction'], to: Socket, cut: () => void): void {
    if (armed?.direction !== direction || ++passed < armed.packet) {
      to.write(chunk);
      return;
    }
    const { how, forGood } = armed;
    armed = undefined;
    done = true;
    if (how === 'after it') to.write(chunk, cut);
    else if (how === 'in the middle of it') to.write(chunk.subarray(0, chunk.length / 2), cut);
    else cut();
    if (forGood === true) {
      isDown = true;
      for (const socket of sockets) socket.destroy();
    }
  }

  const server = createServer((client) => {
    if (isDown) {
      client.destroy();
      return;
    }
    const upstream = connect(target.port, target.host);
    const cut = () => {
      // What is on its way to the other side still arrives, as on a real network.
      client.destroy();
      upstream.end();
    };
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', cut);
      socket.on('close', () => {
        sockets.delete(socket);
        cut();
      });
    }
    client.on('data', (chunk: Buffer) => pass(chunk, 'to server', upstream, cut));
    upstream.on('data', (chunk: Buffer) => {
      if (!client.destroyed) pass(chunk, 'to client', client, cut);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The proxy has no port.');
  return {
    port: address.port,
    arm(cut) {
      armed = cut;
      passed = 0;
      done = false;
    },
    hasCut: () => done,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
