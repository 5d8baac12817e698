// The official server in the test's own process, with what the official client's own tests expect of it, and a hand on everything it does.

import { createServer } from 'node:http';
import { once } from 'node:events';
import { Server } from 'socket.io';
import { eventually } from './deadline.js';
import { freePort } from './server.js';

/** Starts a server on a free port; it ends with the test. */
export async function startS2(t, options = {}) {
  const server = new S2Server(options);
  await server.start();
  t.after(() => server.stop());
  return server;
}

class S2Server {
  #connections = new Set();
  #options;
  port = 0;
  /** The HTTP requests, WebSocket handshakes included. */
  requests = [];
  /** The Socket.IO packets as they came, and as they left; attachments are Buffers. */
  received = [];
  sent = [];
  /** The Socket.IO sockets that have connected, of all namespaces. */
  sockets = [];
  /** What clients emitted to `/`: name and arguments, without acknowledgement. */
  events = [];

  constructor({ serve = serveOfficialTests, ...options }) {
    this.serve = serve;
    this.#options = { pingInterval: 2000, ...options };
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Engine.IO sessions. */
  get sessions() {
    return Object.values(this.io.engine.clients);
  }

  /** Waits until each session can be sent something, so that over polling, too, there is a connection to break. */
  ready() {
    return eventually(() => this.sessions.every(({ transport }) => transport.writable), 'poll');
  }

  async start() {
    this.http = createServer();
    this.http.on('connection', (connection) => {
      this.#connections.add(connection);
      connection.on('close', () => this.#connections.delete(connection));
    });
    this.io = new Server(this.http, this.#options);
    // The engine hides requests from listeners that came before it.
    const note = ({ method, url, headers }) => this.requests.push({ method, url, headers });
    this.http.prependListener('request', note).prependListener('upgrade', note);
    this.io.engine.on('connection', (session) => {
      // A session on polling waits so long for a last poll; half a minute would be longer than the suites take.
      session.transport.closeTimeout = 1000;
      session.on('packet', ({ type, data }) => type === 'message' && this.received.push(data));
      session.on('packetCreate', ({ type, data }) => type === 'message' && this.sent.push(data));
    });
    this.io.on('new_namespace', (nsp) => nsp.on('connection', (socket) => this.sockets.push(socket)));
    this.io.on('connection', (socket) => {
      this.sockets.push(socket);
      socket.onAny((...event) => this.events.push(event.filter((item) => typeof item !== 'function')));
    });
    this.serve(this.io, this);
    this.port ||= await freePort();
    this.http.listen(this.port, '127.0.0.1');
    await once(this.http, 'listening');
  }

  /** As when the program is killed: connections end, and nobody listens. */
  async stop() {
    if (!this.http.listening) return;
    const closed = once(this.http, 'close');
    this.http.close();
    for (const connection of this.#connections) connection.destroy();
    // Whoever is still on polling would be waited for.
    for (const session of this.sessions) session.transport.closeTimeout = 0;
    this.io.close();
    await closed;
  }

  /** The arguments of the events of that name that came to `/`. */
  heard(name) {
    return this.events.filter(([event]) => event === name).map(([, ...args]) => args);
  }
}

/** What the official client's tests expect. */
function serveOfficialTests(io) {
  const refuseIf = (socket) => socket.handshake.query.fail;
  io.use((socket, next) => next(refuseIf(socket) ? new Error('Auth failed (main namespace)') : undefined));
  io.of('/no').use((socket, next) => next(Object.assign(new Error('Auth failed (custom namespace)'), { data: { code: 401 } })));
  for (const nsp of ['/timeout_socket', '/valid', '/asd']) io.of(nsp);
  io.of('/foo').on('connection', (socket) => socket.on('getId', (answer) => answer(socket.id)));
  io.of('/abc').on('connection', (socket) => socket.emit('handshake', socket.handshake));
  const bytes = Buffer.from('asdfasdf');
  io.on('connection', (socket) => {
    socket.on('hi', () => socket.emit('hi'));
    socket.on('echo', (value, answer) => answer?.(value));
    socket.on('echo-back', (...args) => socket.emit('echo-back', ...args));
    socket.on('ack', () => {
      socket.emit('ack', 5, { test: true }, (a, b, seen) => {
        if (a === 5 && b.test && seen === 'seen') socket.emit('got it');
      });
    });
    socket.on('getAckDate', (_, answer) => answer(new Date()));
    socket.on('getDate', () => socket.emit('takeDate', new Date()));
    socket.on('getDateObj', () => socket.emit('takeDateObj', { date: new Date() }));
    socket.on('getUtf8', () => {
      for (const text of ['てすと', 'Я Б Г Д Ж Й', 'Ä ä Ü ü ß', 'utf8 — string', 'utf8 — string']) socket.emit('takeUtf8', text);
    });
    socket.on('false', () => socket.emit('false', false));
    socket.on('doge', () => socket.emit('doge', bytes));
    socket.on('getbin', () => socket.emit('takebin', bytes));
    socket.on('buffa', (data) => Buffer.isBuffer(data) && socket.emit('buffack'));
    socket.on('jsonbuff', ({ hello, message, goodbye }) => {
      if (hello === 'lol' && Buffer.isBuffer(message) && goodbye === 'gotcha') socket.emit('jsonbuff-ack');
    });
    let isFirst = false;
    socket.on('abuff1', (data) => (isFirst = Buffer.isBuffer(data)));
    socket.on('abuff2', () => isFirst && socket.emit('abuff2-ack'));
    socket.on('getHandshake', (answer) => answer(socket.handshake));
    socket.on('getId', (answer) => answer(socket.id));
    socket.on('room', (room, answer) => {
      socket.join(room);
      answer();
    });
  });
}
