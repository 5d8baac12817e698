// The client program of the contract on the official package, so that the suites can be proven against the original.

import { createInterface } from 'node:readline';
import { Manager } from 'socket.io-client';
import * as msgpack from 'socket.io-msgpack-parser';

const start = Date.now();
const managers = new Map();
const sockets = new Map();

function line(object) {
  process.stdout.write(`${JSON.stringify({ t: Date.now() - start, ...object })}\n`);
}

function encode(value) {
  if (Buffer.isBuffer(value)) return { $bin: value.toString('base64') };
  if (Array.isArray(value)) return value.map(encode);
  if (value && typeof value === 'object') return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, encode(item)]));
  return value;
}

function decode(value) {
  if (Array.isArray(value)) return value.map(decode);
  if (!value || typeof value !== 'object') return value;
  if (typeof value.$bin === 'string') return Buffer.from(value.$bin, 'base64');
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, decode(item)]));
}

function managerOf(name, url, { auth, retries, ackTimeout, headers, parser, ...opts }) {
  if (managers.has(name)) return managers.get(name);
  const options = { ...opts, autoConnect: false };
  if (headers) options.extraHeaders = headers;
  if (parser === 'msgpack') options.parser = msgpack;
  const manager = new Manager(url, options);
  managers.set(name, manager);
  const tell = (e, more = {}) => line({ manager: name, e, ...more });
  const listeners = {
    open: () => {
      tell('open');
      manager.engine.once('upgrade', () => tell('upgrade'));
    },
    close: (reason) => tell('close', { reason }),
    reconnect_attempt: (n) => tell('reconnect_attempt', { n }),
    reconnect: (n) => tell('reconnect', { n }),
    reconnect_error: () => tell('reconnect_error'),
    reconnect_failed: () => tell('reconnect_failed'),
  };
  // Behind those of the sockets, whenever they come.
  manager.listenAgain = () => {
    for (const [e, listener] of Object.entries(listeners)) manager.off(e, listener).on(e, listener);
  };
  return manager;
}

function open({ sock, url, nsp = '/', manager: name = sock, opts = {} }) {
  const manager = managerOf(name, url, opts);
  const { auth, retries, ackTimeout } = opts;
  const socket = manager.socket(nsp, { auth, retries, ackTimeout });
  sockets.set(sock, socket);
  const tell = (e, more) => line({ sock, e, ...more });
  socket.on('connect', () => {
    tell('connect', { id: socket.id, recovered: Boolean(socket.recovered), transport: manager.engine.transport.name });
  });
  socket.on('disconnect', (reason) => tell('disconnect', { reason }));
  socket.on('connect_error', (error) => tell('connect_error', { message: error.message, data: encode(error.data ?? null) }));
  socket.onAny((ev, ...args) => {
    const answer = typeof args.at(-1) === 'function' ? args.pop() : undefined;
    tell('event', { ev, args: encode(args) });
    if (answer && args[0] !== 'timeout') answer(...args, 'seen');
  });
  socket.connect();
  manager.listenAgain();
}

const commands = {
  open,
  emit: ({ sock, ev, args }) => sockets.get(sock).emit(ev, ...decode(args)),
  volatile: ({ sock, ev, args }) => sockets.get(sock).volatile.emit(ev, ...decode(args)),
  'emit-ack': ({ sock, ev, args, tag, timeout }) => {
    const socket = sockets.get(sock);
    // With a time, the promise is rejected when the connection ends, too; this is as long as a timer can be.
    const flagged = timeout || !socket._opts.ackTimeout ? socket.timeout(timeout ?? 2 ** 31 - 1) : socket;
    flagged.emit(ev, ...decode(args), (error, ...answer) => {
      if (error) line({ sock, e: 'ack-error', tag });
      else line({ sock, e: 'ack', tag, args: encode(answer) });
    });
  },
  disconnect: ({ sock }) => sockets.get(sock).disconnect(),
  connect: ({ sock }) => {
    sockets.get(sock).connect();
    sockets.get(sock).io.listenAgain();
  },
  auth: ({ sock, auth }) => (sockets.get(sock).auth = auth),
  manager: ({ manager, cmd, ...options }) => {
    for (const [name, value] of Object.entries(options)) managers.get(manager)[name](value);
  },
  sync: ({ n }) => setTimeout(() => line({ e: 'sync', n }), 5),
  exit,
};

function exit() {
  for (const manager of managers.values()) manager._close();
  setTimeout(() => process.exit(0), 100);
}

createInterface({ input: process.stdin })
  .on('line', (text) => {
    const command = JSON.parse(text);
    commands[command.cmd](command);
  })
  .on('close', exit);
