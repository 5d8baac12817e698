// Many clients that receive numbered news and put numbers: the official client in this process, or ours, all of them in one program. What each of them has
// received and how often it has come back is kept; and the official server for them, like `soak_server`.

import { createServer } from 'node:http';
import { once } from 'node:events';
import { Manager } from 'socket.io-client';
import { Server } from 'socket.io';
import { startClient } from './contract-client.js';
import { transportOptions } from './client.js';
import { siblingCommand, startServer } from './server.js';

const OPTIONS = { reconnectionDelay: 100, reconnectionDelayMax: 500, randomizationFactor: 0.5, timeout: 15_000, retries: 1000, ackTimeout: 10_000 };

/** Our server; it is a program of its own, whatever INTEROP_SERVER says. */
export async function startSoakServer(t, { env, program = siblingCommand('soak_server') } = {}) {
  const server = await startServer({ program, env });
  t.after(() => server.stop());
  return server;
}

/** The official server with the same events, in this process. */
export async function startOfficialSoakServer(t, options = {}) {
  const http = createServer();
  const io = new Server(http, options);
  const taken = {};
  // A session on polling waits so long for a last poll, and the end of the server for that.
  io.engine.on('connection', (session) => (session.transport.closeTimeout = 1000));
  io.on('connection', (socket) => {
    socket.join('all');
    socket.emit('hello', socket.recovered);
    socket.on('echo', (value, answer) => answer(value));
    socket.on('publish', (number, answer) => {
      io.to('all').emit('news', number);
      answer(number);
    });
    socket.on('put', (name, number, answer) => {
      const count = (taken[name] ??= { next: 0, again: 0, wrong: 0 });
      if (number < count.next) count.again++;
      else if (number === count.next) count.next++;
      else count.wrong++;
      answer(number);
    });
    socket.on('taken', (answer) => answer(taken));
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  t.after(() => {
    io.close();
    http.closeAllConnections();
  });
  return { port: http.address().port, url: `http://127.0.0.1:${http.address().port}` };
}

class Reader {
  /** The numbers, in the order in which they came. */
  news = [];
  /** For each time that it has connected, whether its session was recovered. */
  connects = [];
  greeted = false;
  puts = 0;

  constructor(name, send) {
    this.name = name;
    this.send = send;
  }

  /** Puts the next number, which is sent again until it is acknowledged. */
  put() {
    this.send(this.name, this.puts++);
  }

  heard(event, [value]) {
    if (event === 'news') this.news.push(value);
    else if (event === 'hello') this.greeted = true;
  }
}

/** Official clients, each with a connection of its own. */
export function officialReaders(t, url, transports) {
  return transports.map((transport, index) => {
    const manager = new Manager(url, { ...OPTIONS, ...transportOptions(transport) });
    t.after(() => manager._close());
    const socket = manager.socket('/', OPTIONS);
    const reader = new Reader(`official ${index}`, (name, number) => socket.emit('put', name, number));
    socket.on('connect', () => reader.connects.push(Boolean(socket.recovered)));
    socket.onAny((event, ...args) => reader.heard(event, args));
    return reader;
  });
}

/** Clients of ours, in one program. */
export function ourReaders(t, url, transports) {
  const client = startClient(t, { url });
  const readers = new Map();
  client.observe = ({ sock, e, ev, args, recovered }) => {
    const reader = readers.get(sock);
    if (e === 'connect') reader.connects.push(recovered);
    else if (e === 'event') reader.heard(ev, args);
  };
  transports.forEach((transport, index) => {
    const sock = `ours ${index}`;
    readers.set(sock, new Reader(sock, (name, number) => client.emit(sock, 'put', name, number)));
    client.open(sock, { manager: sock, ...transportOptions(transport), ...OPTIONS });
  });
  // The program can be stopped.
  return Object.assign([...readers.values()], { program: client });
}
