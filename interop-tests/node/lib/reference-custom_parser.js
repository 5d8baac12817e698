// The example `custom_parser` on the official package, so that its suite can be proven against the original.

import { createServer } from 'node:http';
import { Server } from 'socket.io';
import * as parser from './cbor-parser.js';

const http = createServer();
const io = new Server(http, { parser });

for (const name of ['/', '/private']) {
  io.of(name).on('connection', (socket) => {
    socket.on('echo', (...args) => socket.emit('echo', ...args));
    socket.on('ask', (...args) => args.pop()(...args));
    socket.on('sum', (data, ack) => ack(data.reduce((sum, byte) => sum + byte, 0)));
    socket.on('all', (...args) => socket.nsp.emit('news', ...args));
    socket.on('question', (...args) => {
      const ack = args.pop();
      socket.emit('question', ...args, (answer) => ack(answer));
    });
  });
}
io.of('/private').use((socket, next) => {
  const isKnown = socket.handshake.auth.token === 'secret';
  next(isKnown ? undefined : Object.assign(new Error('unauthorized'), { data: 401 }));
});

http.listen(Number(process.env.PORT), '127.0.0.1');
process.on('SIGTERM', () => process.exit(0));
