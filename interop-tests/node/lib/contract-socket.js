// Starts the client program under test as a child process, tells it what to do, and keeps what it says until a test asks for it.
//
// It is `contract_client` beside the program that INTEROP_SERVER names, or the official client with `reference`.

import { spawn } from 'node:child_process';
import { dirname, join, resolve as resolvePath } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PATIENCE, within } from './deadline.js';
import { isReference } from './server.js';

/** The options that the suites use for each column of the table of transports. */
export const OPTIONS = {
  polling: { transports: ['polling'] },
  websocket: { transports: ['websocket'] },
  upgrade: { transports: ['polling', 'websocket'] },
};

/** Reconnects at once, so that no test waits for it. */
export const QUICKLY = { reconnectionDelay: 20, reconnectionDelayMax: 40, randomizationFactor: 0 };

export function startContractClient(t) {
  const client = new ContractClient(spawnClient());
  t.after(() => client.child.kill('SIGKILL'));
  return client;
}

function spawnClient() {
  const stdio = ['pipe', 'pipe', 'inherit'];
  if (isReference) return spawn(process.execPath, [fileURLToPath(new URL('reference-client.js', import.meta.url))], { stdio });
  const program = process.env.INTEROP_SERVER;
  if (!program) throw new Error('INTEROP_SERVER is not set: the path of a server program, or "reference"');
  const path = resolvePath(process.env.INIT_CWD ?? process.cwd(), program);
  return spawn(join(dirname(path), 'contract_client'), { stdio });
}

class ContractClient {
  /** Everything that it said. */
  lines = [];
  #unread = [];
  #waiting = [];
  #tags = 0;

  constructor(child) {
    this.child = child;
    let rest = '';
    child.stdout.setEncoding('utf8').on('data', (text) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop();
      for (const line of lines) this.#take(unpack(JSON.parse(line)));
    });
    this.exited = new Promise((resolve) => child.once('exit', (code, signal) => resolve(signal ?? code)));
    child.stdin.on('error', () => {});
  }

  command(command) {
    this.child.stdin.write(`${JSON.stringify(pack(command))}\n`);
  }

  /** Connects a socket; sockets that name the same manager share one connection. */
  open(url, { sock = 'a', nsp = '/', manager = 'm', ...opts } = {}) {
    this.command({ cmd: 'open', sock, url, nsp, manager, opts });
    return new ContractSocket(this, sock);
  }

  /** Changes how the connection is made again. */
  manage(changes, manager = 'm') {
    this.command({ cmd: 'manager', manager, ...changes });
  }

  /** Everything that the client had to say before this call is in `lines` afterwards. */
  async sync() {
    const n = ++this.#tags;
    this.command({ cmd: 'sync', n });
    await this.next((line) => line.e === 'sync' && line.n === n, 'sync');
  }

  /** Takes the oldest line that nobody has taken yet and that fits, or waits for it. */
  next(fits, what, ms = PATIENCE) {
    const index = this.#unread.findIndex(fits);
    if (index >= 0) return Promise.resolve(this.#unread.splice(index, 1)[0]);
    const found = new Promise((resolve) => this.#waiting.push({ fits, resolve }));
    return within(found, what, ms).catch((error) => {
      throw new Error(`${error.message}; the client said ${this.trace().slice(-20).join(', ')}`);
    });
  }

  /** Takes the next line of the manager with that name. */
  managed(e, ms) {
    return this.next((line) => line.manager && line.e === e, `${e} of the manager`, ms);
  }

  /** What happened since the mark, one word each: `a:connect`, `reconnect_attempt:1`, `a:disconnect:io server disconnect`. */
  trace(since = 0) {
    const told = this.lines.slice(since).filter(({ e }) => e !== 'sync');
    return told.map(({ sock, e, n, reason, ev }) => [sock, e, n ?? reason ?? ev].filter((word) => word !== undefined).join(':'));
  }

  get mark() {
    return this.lines.length;
  }

  exit() {
    this.command({ cmd: 'exit' });
    return within(this.exited, 'end of the client');
  }

  nextTag() {
    return `t${++this.#tags}`;
  }

  #take(line) {
    this.lines.push(line);
    const index = this.#waiting.findIndex(({ fits }) => fits(line));
    if (index >= 0) this.#waiting.splice(index, 1)[0].resolve(line);
    else this.#unread.push(line);
  }
}

class ContractSocket {
  constructor(client, sock) {
    this.client = client;
    this.sock = sock;
  }

  emit(ev, ...args) {
    this.client.command({ cmd: 'emit', sock: this.sock, ev, args });
  }

  volatile(ev, ...args) {
    this.client.command({ cmd: 'volatile', sock: this.sock, ev, args });
  }

  /** Emits with an acknowledgement; resolves to its arguments, or to `null` if there will be none. */
  ask(ev, ...args) {
    return this.askWithin(undefined, ev, ...args);
  }

  async askWithin(timeout, ev, ...args) {
    const { client, sock } = this;
    const tag = client.nextTag();
    client.command({ cmd: 'emit-ack', sock, ev, args, tag, timeout });
    const line = await client.next((line) => line.sock === sock && line.tag === tag, `acknowledgement of "${ev}"`);
    return line.e === 'ack' ? line.args : null;
  }

  connect() {
    this.client.command({ cmd: 'connect', sock: this.sock });
  }

  disconnect() {
    this.client.command({ cmd: 'disconnect', sock: this.sock });
  }

  authenticate(auth) {
    this.client.command({ cmd: 'auth', sock: this.sock, auth });
  }

  /** Takes the next line of this socket with that name. */
  next(e, ms) {
    return this.client.next((line) => line.sock === this.sock && line.e === e, `${e} of socket ${this.sock}`, ms);
  }

  connected(ms) {
    return this.next('connect', ms);
  }

  /** Resolves to the reason. */
  async disconnected(ms) {
    return (await this.next('disconnect', ms)).reason;
  }

  /** Takes the next event of that name; resolves to its arguments. */
  async event(ev, ms) {
    const fits = (line) => line.sock === this.sock && line.e === 'event' && line.ev === ev;
    return (await this.client.next(fits, `event "${ev}"`, ms)).args;
  }

  /** The arguments of all events of that name, taken or not. */
  received(ev) {
    return this.client.lines.filter((line) => line.sock === this.sock && line.e === 'event' && line.ev === ev).map(({ args }) => args);
  }
}

/** Binary values travel as `{"$bin": base64}`. */
function pack(value) {
  if (value instanceof Uint8Array) return { $bin: Buffer.from(value).toString('base64') };
  if (Array.isArray(value)) return value.map(pack);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, pack(item)]));
}

function unpack(value) {
  if (Array.isArray(value)) return value.map(unpack);
  if (value === null || typeof value !== 'object') return value;
  if (typeof value.$bin === 'string') return Buffer.from(value.$bin, 'base64');
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, unpack(item)]));
}
