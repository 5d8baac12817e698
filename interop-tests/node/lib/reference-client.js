// The client program of the contract on the official packages, so that the suites for clients can be proven against the original: commands come in on
// standard input, what happens goes out, both as lines of JSON.

import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { Manager } from 'socket.io-client';
import * as msgpack from 'socket.io-msgpack-parser';

const started = Date.now();
const managers = new Map();
const sockets = new Map();
const options = new Map();

/** Milliseconds; the longest time that a timer takes. */
const FOREVER = 2 ** 31 - 1;

const commands = {
  open({ sock, url, nsp = '/', manager: name = sock, opts = {} }) {
    const { auth, retries, ackTimeout } = opts;
    const known = managers.get(name);
    const manager = known ?? new Manager(url, managerOptions(opts));
    const socket = manager.socket(nsp, { auth, retries, ackTimeout });
    sockets.set(sock, socket);
    options.set(sock, opts);
    socket.on('connect', () => {
      const transport = manager.engine.transport.name;
      say({ sock, e: 'connect', id: socket.id, recovered: socket.recovered === true, transport });
    });
    socket.on('disconnect', (reason) => say({ sock, e: 'disconnect', reason }));
    socket.on('connect_error', ({ message, data }) => say({ sock, e: 'connect_error', message, data }));
    socket.onAny((ev, ...args) => {
      const answer = typeof args.at(-1) === 'function' ? args.pop() : null;
      say({ sock, e: 'event', ev, args });
      if (answer && args[0] !== 'timeout') answer(...args, 'seen');
    });
    if (!known) {
      managers.set(name, manager);
      watch(name, manager);
    }
    socket.connect();
  },

  emit({ sock, ev, args = [] }) {
    sockets.get(sock).emit(ev, ...args);
  },

  volatile({ sock, ev, args = [] }) {
    sockets.get(sock).volatile.emit(ev, ...args);
  },

  'emit-ack'({ sock, ev, args = [], tag, timeout }) {
    const { retries, ackTimeout } = options.get(sock);
    const socket = sockets.get(sock);
    // Without any timeout the official client does not tell callbacks of errors.
    if (timeout || (!retries && !ackTimeout)) socket.timeout(timeout ?? FOREVER);
    socket.emit(ev, ...args, (error, ...answer) => say(error ? { sock, e: 'ack-error', tag } : { sock, e: 'ack', tag, args: answer }));
  },

  disconnect({ sock }) {
    sockets.get(sock).disconnect();
  },

  connect({ sock }) {
    sockets.get(sock).connect();
  },

  auth({ sock, auth }) {
    sockets.get(sock).auth = auth;
  },

  manager({ manager: name, cmd, ...changes }) {
    for (const [option, value] of Object.entries(changes)) managers.get(name)[option](value);
  },

  sync({ n }) {
    say({ e: 'sync', n });
  },

  exit() {
    for (const manager of managers.values()) {
      for (const socket of Object.values(manager.nsps)) socket.disconnect();
      manager._close();
    }
    process.exitCode = 0;
    input.close();
  },
};

function managerOptions({ headers, parser, ca, ...opts }) {
  return {
    autoConnect: false,
    ...opts,
    ...(headers && { extraHeaders: headers }),
    ...(parser === 'msgpack' && { parser: msgpack }),
    ...(ca && { ca: readFileSync(ca) }),
  };
}

function watch(name, manager) {
  const tell = (line) => say({ manager: name, ...line });
  manager.on('open', () => {
    tell({ e: 'open' });
    manager.engine.once('upgrade', () => tell({ e: 'upgrade' }));
  });
  manager.on('close', (reason) => tell({ e: 'close', reason }));
  manager.on('reconnect_attempt', (n) => tell({ e: 'reconnect_attempt', n }));
  manager.on('reconnect', (n) => tell({ e: 'reconnect', n }));
  manager.on('reconnect_error', () => tell({ e: 'reconnect_error' }));
  manager.on('reconnect_failed', () => tell({ e: 'reconnect_failed' }));
}

function say(line) {
  process.stdout.write(`${JSON.stringify(pack({ t: Date.now() - started, ...line }))}\n`);
}

function pack(value) {
  if (value instanceof Uint8Array) return { $bin: Buffer.from(value).toString('base64') };
  if (value instanceof ArrayBuffer) return pack(new Uint8Array(value));
  if (Array.isArray(value)) return value.map(pack);
  if (value === null || typeof value !== 'object' || value instanceof Date) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, pack(item)]));
}

function unpack(value) {
  if (Array.isArray(value)) return value.map(unpack);
  if (value === null || typeof value !== 'object') return value;
  if (typeof value.$bin === 'string') return Buffer.from(value.$bin, 'base64');
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, unpack(item)]));
}

const input = createInterface({ input: process.stdin });
input.on('line', (line) => {
  const command = unpack(JSON.parse(line));
  commands[command.cmd](command);
});
input.on('close', () => commands.exit());
