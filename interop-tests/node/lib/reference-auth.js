// The example `auth` on the official package, so that its suite can be proven against the original, where the end of an authorization is a timer of the program.

import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { Server } from 'socket.io';

const LIFE = Number(process.env.TOKEN_SECONDS ?? 60) * 1000;
const USERS = ['ann:wonderland', 'bob:builder'];
const tokens = new Map();

function verify(token) {
  const pass = tokens.get(token);
  if (!pass || pass.expires <= Date.now()) throw new Error('not authorized');
  return pass;
}

function end(socket) {
  clearTimeout(socket.data.timer);
  socket.emit('expired', 'log in again');
  socket.disconnect();
}

function authorize(socket, token) {
  clearTimeout(socket.data.timer);
  const { expires } = verify(token);
  const left = expires - Date.now();
  Object.assign(socket.data, { token, timer: setTimeout(() => end(socket), left) });
  return Math.round(left / 1000);
}

const http = createServer(async (request, response) => {
  const body = await text(request);
  if (request.url === '/logout') {
    tokens.delete(body);
    for (const socket of io.of('/').sockets.values()) if (socket.data.token === body) end(socket);
    return response.end();
  }
  if (!USERS.includes(body)) return response.writeHead(401).end();
  const token = randomBytes(16).toString('hex');
  tokens.set(token, { user: body.split(':')[0], expires: Date.now() + LIFE });
  response.end(token);
});

const io = new Server(http, {
  allowRequest: ({ headers: { origin, host } }, decide) => decide('another origin', !origin || new URL(origin).host === host),
});

io.use((socket, next) => {
  try {
    const { token } = socket.handshake.auth;
    socket.data.user = verify(token).user;
    authorize(socket, token);
    next();
  } catch (error) {
    next(error);
  }
});

io.on('connection', (socket) => {
  const { user } = socket.data;
  socket.on('disconnect', () => clearTimeout(socket.data.timer));
  socket.use(([event, ...args], next) => {
    if (event !== 'announce' || user === 'bob') return next();
    // A refusal alone would leave the client waiting.
    args.at(-1)({ message: `${user} may not do this` });
  });
  socket.on('whoami', (ack) => ack(user));
  socket.on('announce', (text, ack) => {
    io.emit('announcement', text);
    ack(io.of('/').sockets.size);
  });
  socket.on('renew', (token, ack) => {
    try {
      if (verify(token).user !== user) throw new Error("somebody else's token");
      ack(authorize(socket, token));
    } catch ({ message }) {
      ack({ message });
    }
  });
});

http.listen(Number(process.env.PORT), '127.0.0.1');
process.on('SIGTERM', () => process.exit(0));
