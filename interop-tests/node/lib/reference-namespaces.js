// The example `namespaces` on the official package, so that its suite can be proven against the original.

import { createServer } from 'node:http';
import { Server } from 'socket.io';

const http = createServer();
const io = new Server(http, { cleanupEmptyChildNamespaces: true });
const catalogue = new Map();

const place = (name) => {
  const [, project, room] = /^\/project\/([^/]+)\/room\/([^/]+)$/.exec(name);
  return { project: Number(project), room };
};

const rooms = io.of(/^\/project\/[^/]+\/room\/[^/]+$/);
rooms.use((socket, next) => {
  const { project } = place(socket.nsp.name);
  if (Number.isNaN(project)) next(new Error(`project is no number: "${socket.nsp.name.split('/')[2]}"`));
  else next(project === 0 ? new Error('no such project') : undefined);
});
rooms.on('connection', (socket) => {
  socket.emit('welcome', place(socket.nsp.name));
  socket.on('say', (text, ack) => {
    socket.nsp.emit('said', text);
    ack(socket.nsp.sockets.size);
  });
});

const documents = io.of((name, auth, next) => {
  setImmediate(() => next(null, name.startsWith('/document/') && catalogue.has(name.slice(10))));
});
documents.use((socket, next) => {
  const isRight = catalogue.get(socket.nsp.name.slice(10)) === socket.handshake.auth.key;
  next(isRight ? undefined : new Error('wrong key'));
});
documents.on('connection', (socket) => {
  socket.on('read', (ack) => ack(`the text of ${socket.nsp.name}`));
});

// The original has no event for the end of a namespace; closing its adapter is it.
io.on('new_namespace', (namespace) => {
  io.emit('there is', namespace.name);
  namespace.adapter.close = () => io.emit('gone is', namespace.name);
});
io.on('connection', (socket) => {
  socket.on('announce', (text, ack) => {
    rooms.emit('announcement', text);
    let reached = 0;
    for (const child of rooms.children) reached += child.sockets.size;
    ack(reached);
  });
  socket.on('create', (name, key, ack) => {
    catalogue.set(name, key);
    ack();
  });
});

http.listen(Number(process.env.PORT), '127.0.0.1');
process.on('SIGTERM', () => process.exit(0));
