// The official server in the process of the test, with what the suites of clients ask of it.

import { createServer } from 'node:http';
import { Server } from 'socket.io';
import { pause } from './deadline.js';
import { freePort } from './server.js';

/** Starts a server; it ends with the test. */
export async function startOfficial(t, { port, ...options } = {}) {
  port ??= await freePort();
  const http = createServer();
  const io = new Server(http, { pingInterval: 2000, allowRequest, ...options });
  serve(io.of('/'), 'main');
  serve(io.of('/chat'));
  io.of('/no').use((socket, next) => next(Object.assign(new Error('Auth failed (custom namespace)'), { data: { code: 7, list: [1] } })));
  io.of('/secret').use((socket, next) => next(socket.handshake.auth.token === 'x' ? undefined : new Error('no token')));
  await new Promise((resolve, reject) => http.listen(port, '127.0.0.1', resolve).once('error', reject));
  const server = {
    io,
    port,
    url: `http://127.0.0.1:${port}`,
    /** What arrived on the wire in `/`: names of events, in order. */
    arrived: [],
    async stop() {
      http.closeAllConnections();
      await io.close();
    },
  };
  io.of('/').on('connection', (socket) => socket.onAny((name) => server.arrived.push(name)));
  t?.after(() => server.stop().catch(() => {}));
  return server;
}

async function allowRequest(request, decide) {
  await pause(10);
  decide(null, true);
}

function serve(namespace) {
  namespace.on('connection', (socket) => {
    socket.on('hi', () => socket.emit('hi'));
    socket.on('echo', (...args) => args.pop()(...args));
    socket.on('back', (...args) => socket.emit('back', ...args));
    socket.on('ack', async (...args) => socket.emit('got it', ...(await ask(socket, args))));
    socket.on('ack timeout', () => socket.timeout(100).emit('ack', 'timeout', (error) => socket.emit('nothing', Boolean(error))));
    socket.on('burst', (n) => {
      for (let i = 0; i < n; i++) socket.emit('n', i);
    });
    socket.on('handshake', (answer) => answer({ auth: socket.handshake.auth, query: socket.handshake.query, x: socket.handshake.headers['x-test'] ?? null }));
    socket.on('leave', () => socket.disconnect());
    socket.on('close', () => socket.conn.close());
    socket.on('garbage', () => socket.conn.write('9garbage'));
    socket.on('silence', () => {});
  });
}

/** All arguments of the acknowledgement. */
function ask(socket, args) {
  return new Promise((resolve) => socket.emit('ack', ...args, (...answer) => resolve(answer)));
}
