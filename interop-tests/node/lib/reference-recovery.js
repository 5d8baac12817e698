// The example `recovery` on the official package, so that its suite can be proven against the original.

import { createServer } from 'node:http';
import { Server } from 'socket.io';

const http = createServer();
const io = new Server(http, { connectionStateRecovery: { maxDisconnectionDuration: 120_000 } });

let readers = 0;
io.on('connection', (socket) => {
  if (!socket.recovered) {
    socket.join('readers');
    socket.data.number = ++readers;
  }
  socket.emit('welcome', socket.recovered);
  socket.on('number', (ack) => ack(socket.data.number));
  socket.on('remind', (milliseconds, text) => {
    setTimeout(() => io.to(socket.id).emit('reminder', text), Math.min(milliseconds, 60_000));
  });
});

let number = 0;
setInterval(() => io.to('readers').emit('tick', ++number), Number(process.env.TICK_MILLISECONDS ?? 1000));

http.listen(Number(process.env.PORT), '127.0.0.1');
process.on('SIGTERM', () => process.exit(0));
