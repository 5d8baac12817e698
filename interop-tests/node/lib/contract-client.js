// Starts the client program under test as a child process, gives it commands and reads what it observes.
//
// The program is `contract_client` beside the one of INTEROP_SERVER; with INTEROP_SERVER=reference it is `reference-client.js`.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { once } from 'node:events';
import { PATIENCE, within } from './deadline.js';
import { command } from './server.js';

const TRANSPORTS = {
  polling: { transports: ['polling'] },
  websocket: { transports: ['websocket'] },
  upgrade: { transports: ['polling', 'websocket'] },
};

/** Waits between attempts to reconnect that tests can afford. */
export const QUICK = { reconnectionDelay: 50, reconnectionDelayMax: 100, randomizationFactor: 0 };

/** Starts a client; it ends with the test. With `stderr: 'pipe'` its complaints are for the test. */
export function startClient(t, { url, transport = 'websocket', stderr = 'inherit' }) {
  const client = new ContractClient(url, transport, stderr);
  t.after(() => client.child.kill('SIGKILL'));
  return client;
}

class ContractClient {
  #waiting = [];
  #syncs = 0;
  /** Gets every observation instead of the lists, where there are too many to be kept. */
  observe = null;

  constructor(url, transport, stderr) {
    this.url = url;
    this.transport = transport;
    /** Everything that it has observed, in order. */
    this.seen = [];
    this.unread = [];
    const [program, ...args] = command('contract_client', 'reference-client.js');
    this.child = spawn(program, args, { stdio: ['pipe', 'pipe', stderr] });
    createInterface({ input: this.child.stdout }).on('line', (line) => this.#observe(JSON.parse(line)));
  }

  #observe(line) {
    // When the client has observed it, in milliseconds of its own clock; no part of what is compared.
    Object.defineProperty(line, 't', { enumerable: false });
    if (this.observe) return this.observe(line);
    this.seen.push(line);
    this.unread.push(line);
    this.#waiting = this.#waiting.filter((check) => !check());
  }

  command(command) {
    this.child.stdin.write(`${JSON.stringify(command)}\n`);
  }

  /** Opens a socket and connects it. */
  open(sock = 'a', { nsp = '/', manager = 'm', url = this.url, ...opts } = {}) {
    opts = { ...TRANSPORTS[this.transport], ...QUICK, ...opts };
    this.command({ cmd: 'open', sock, url, nsp, manager, opts });
  }

  emit(sock, ev, ...args) {
    this.command({ cmd: 'emit', sock, ev, args });
  }

  /** The next observation of that kind that nobody has asked for yet; those before it stay. */
  next(e, where = {}, ms = PATIENCE) {
    const fits = (line) => line.e === e && Object.entries(where).every(([key, value]) => line[key] === value);
    return this.nextThat(fits, `${e} ${JSON.stringify(where)}`, ms);
  }

  /** The same for the next one that fits. */
  nextThat(fits, what, ms = PATIENCE) {
    const found = new Promise((resolve) => {
      const check = () => {
        const index = this.unread.findIndex(fits);
        if (index < 0) return false;
        resolve(this.unread.splice(index, 1)[0]);
        return true;
      };
      if (!check()) this.#waiting.push(check);
    });
    return within(found, `observation ${what}`, ms).catch((error) => {
      throw new Error(`${error.message}, seen: ${JSON.stringify(this.seen.slice(-10))}`);
    });
  }

  /** The arguments of the next event of that name. */
  async event(ev, sock = 'a') {
    return (await this.next('event', { ev, sock })).args;
  }

  /** Emits and waits for the acknowledgement. */
  async ask(sock, ev, ...args) {
    const tag = `tag-${this.#syncs++}`;
    this.command({ cmd: 'emit-ack', sock, ev, args, tag });
    return (await this.next('ack', { tag })).args;
  }

  /** Waits until the client has said everything that it had to say. */
  async sync() {
    const n = this.#syncs++;
    this.command({ cmd: 'sync', n });
    await this.next('sync', { n });
  }

  /** What was observed, in short: `a connect`, `m open`, `a event x`. */
  trace() {
    return this.seen
      .filter((line) => line.e !== 'sync')
      .map((line) => [line.sock ?? line.manager, line.e, line.ev ?? line.reason ?? line.n ?? line.tag].filter((word) => word !== undefined).join(' '));
  }

  /** Forgets what was observed so far. */
  forget() {
    this.seen = [];
    this.unread = [];
  }

  /** Ends it, and sees that it ends well. */
  async exit() {
    const ended = once(this.child, 'exit');
    this.command({ cmd: 'exit' });
    const [status] = await within(ended, 'end of the client');
    assert.equal(status, 0);
  }
}

export const bytes = (...values) => ({ $bin: Buffer.from(values).toString('base64') });
