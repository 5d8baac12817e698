// The example `rooms` on the official package, so that its suite can be proven against the original.

import { createServer } from 'node:http';
import { Server } from 'socket.io';

const PREFIX = 'room ';
const http = createServer();
const io = new Server(http);

const people = async (room) => (await io.in(PREFIX + room).fetchSockets()).map(({ data }) => data.name).sort();

for (const [change, event] of [['create-room', 'opened'], ['delete-room', 'closed']]) {
  io.of('/').adapter.on(change, (room) => {
    if (room.startsWith(PREFIX)) io.emit(event, room.slice(PREFIX.length));
  });
}
io.use((socket, next) => {
  socket.data.name = socket.handshake.auth.name;
  next(typeof socket.data.name === 'string' ? undefined : new Error('no name'));
});
io.on('connection', (socket) => {
  socket.on('enter', async (room, ack) => {
    socket.join(PREFIX + room);
    ack(await people(room));
  });
  socket.on('leave', async (room, ack) => {
    socket.leave(PREFIX + room);
    ack(await people(room));
  });
  socket.on('say', (room, text) => socket.to(PREFIX + room).emit('said', room, socket.data.name, text));
  socket.on('vote', (room, question, ack) => {
    const others = socket.to(PREFIX + room);
    others.timeout(2000).emit('vote', question, async (error, answers) => {
      const asked = (await io.in(PREFIX + room).except(socket.id).fetchSockets()).length;
      const yes = answers.filter((answer) => answer).length;
      ack({ yes, no: answers.length - yes, silent: asked - answers.length });
    });
  });
  socket.on('rooms', (ack) => {
    const rooms = [...io.of('/').adapter.rooms].filter(([room]) => room.startsWith(PREFIX));
    ack(Object.fromEntries(rooms.map(([room, inside]) => [room.slice(PREFIX.length), inside.size])));
  });
  socket.on('close', (room) => io.in(PREFIX + room).socketsLeave(PREFIX + room));
});

http.listen(Number(process.env.PORT), '127.0.0.1');
process.on('SIGTERM', () => process.exit(0));
