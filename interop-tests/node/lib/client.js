// The official client, with an inbox: every event is kept until a test asks for it.

import { Manager } from 'socket.io-client';
import { PATIENCE, once, within } from './deadline.js';

/** Options of the official client for each column of the table of transports. */
export function transportOptions(transport) {
  const transports = transport === 'upgrade' ? ['polling', 'websocket'] : [transport];
  return { transports, upgrade: transport === 'upgrade' };
}

/**
 * Opens a connection and one namespace on it, and waits until it is connected; with transport
 * `upgrade` also until the connection runs over WebSocket. It is closed when the test ends.
 */
export async function connectClient(t, url, options = {}) {
  const client = createClient(t, url, options);
  await client.connected();
  return client;
}

/** The same, not yet awaited: for connections that are expected to fail. */
export function createClient(t, url, { transport = 'websocket', nsp = '/', auth, ...options } = {}) {
  const manager = new Manager(url, { reconnection: false, autoConnect: false, ...transportOptions(transport), ...options });
  t.after(() => manager._close());
  const upgraded = transport === 'upgrade' ? upgradeOf(manager) : Promise.resolve();
  upgraded.catch(() => {});
  return new Client(manager, nsp, auth, upgraded);
}

function upgradeOf(manager) {
  return new Promise((resolve) => {
    manager.once('open', () => manager.engine.once('upgrade', resolve));
  });
}

class Client {
  constructor(manager, nsp, auth, upgraded) {
    this.manager = manager;
    this.upgraded = upgraded;
    // The manager keeps its sockets; one that is opened again gets the new payload, too.
    this.socket = manager.socket(nsp);
    this.socket.auth = auth;
    this.inbox = [];
    this.waiting = [];
    this.reason = new Promise((resolve) => this.socket.once('disconnect', resolve));
    this.refusal = new Promise((resolve) => this.socket.once('connect_error', resolve));
    this.socket.onAny((event, ...args) => this.#deliver(event, args));
    this.isConnected = new Promise((resolve) => this.socket.once('connect', resolve));
    this.socket.connect();
  }

  get id() {
    return this.socket.id;
  }

  get engine() {
    return this.manager.engine;
  }

  async connected() {
    const refused = this.refusal.then((error) => {
      throw new Error(`not connected to ${this.socket.nsp}: ${error.message}`);
    });
    // A refusal after the connect (of a reconnection, say) is no failure of this wait.
    refused.catch(() => {});
    await within(Promise.race([this.isConnected, refused]), 'connect');
    await within(this.upgraded, 'upgrade');
    return this;
  }

  /** Opens another namespace on the same connection. */
  open(nsp, auth) {
    return new Client(this.manager, nsp, auth, Promise.resolve());
  }

  emit(...args) {
    this.socket.emit(...args);
  }

  /** Emits and waits for the acknowledgement; resolves to the array of its arguments. */
  ask(event, ...args) {
    return within(
      new Promise((resolve) => this.socket.emit(event, ...args, (...answer) => resolve(answer))),
      `acknowledgement of "${event}"`,
    );
  }

  /** Takes the oldest event of that name out of the inbox, or waits for it. */
  event(name, ms = PATIENCE) {
    const index = this.inbox.findIndex((item) => item.event === name);
    if (index >= 0) return Promise.resolve(this.inbox.splice(index, 1)[0].args);
    return within(new Promise((resolve) => this.waiting.push({ name, resolve })), `event "${name}"`, ms);
  }

  /** The arguments of every event of that name that came and was not taken. */
  received(name) {
    return this.inbox.filter((item) => item.event === name).map((item) => item.args);
  }

  /** A round trip: everything that the server sent to this socket before it is in the inbox afterwards. */
  async flush() {
    await this.ask('echo-ack');
  }

  /** Waits for the end of the socket; resolves to the client's word for the reason. */
  disconnected(ms = PATIENCE) {
    return within(this.reason, 'disconnect', ms);
  }

  /** Waits for the refusal of the namespace; resolves to the error. */
  refused() {
    return within(this.refusal, 'connect_error');
  }

  /** Waits for an event of the underlying Engine.IO connection. */
  engineEvent(event, ms) {
    return once(this.engine, event, ms);
  }

  #deliver(event, args) {
    const index = this.waiting.findIndex((item) => item.name === event);
    if (index >= 0) this.waiting.splice(index, 1)[0].resolve(args);
    else this.inbox.push({ event, args });
  }
}
