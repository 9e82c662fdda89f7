import http from 'node:http';

/** Passes each request on to the next of the servers, whoever sent it. */
export async function startRoundRobin(ports: readonly number[]): Promise<{ port: number; stop: () => void }> {
  let next = 0;
  const proxy = http.createServer((req, res) => {
    const port = ports[next++ % ports.length];
    const headers = { ...req.headers, host: `127.0.0.1:${port}` };
    const onward = http.request(
      { host: '127.0.0.1', port, method: req.method, path: req.url, headers, agent: false },
      (answer) => {
        res.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(res);
      },
    );
    onward.on('error', () => res.destroy());
    res.on('close', () => onward.destroy());
    req.pipe(onward);
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const address = proxy.address();
  if (address === null || typeof address === 'string') throw new Error('The proxy has no port.');
  return {
    port: address.port,
    stop() {
      proxy.close();
      proxy.closeAllConnections();
    },
  };
}
