// A line to a server that can be made bad: connections are refused, slowed down, overtake each other, stall, are cut, half closed, or carry nothing any more.

import { connect, createServer } from 'node:net';
import { once } from 'node:events';
import { pause } from './deadline.js';
import { freePort } from './server.js';

/** Starts a line to a port of the loopback interface; it ends with the test. */
export async function startLine(t, port) {
  const line = new Line(port);
  await line.accept();
  t.after(() => line.close());
  return line;
}

const TO_SERVER = 0;
const TO_CLIENT = 1;

class Line {
  #listener = null;
  #pairs = new Set();
  /** Milliseconds that every byte takes longer. */
  delay = 0;
  /** Up to so many milliseconds more, chosen anew for each connection: what left over one of them first arrives over another one first. */
  jitter = 0;
  /** Bytes for each millisecond in each direction. */
  rate = Infinity;
  /** Whether what is sent arrives. */
  #carries = [true, true];
  /** While the line is held: what is resolved when it goes on. */
  #held = null;
  /** Connections made so far. */
  accepted = 0;

  constructor(server) {
    this.server = server;
    this.port = 0;
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Connections that there are. */
  get open() {
    return this.#pairs.size;
  }

  /** Takes connections, as at first. */
  async accept() {
    // It may be away for a while, and is to find its port again.
    this.port ||= await freePort();
    // Half open sockets are closed by the other side alone.
    const listener = createServer({ allowHalfOpen: true, noDelay: true }, (near) => this.#join(near));
    listener.listen(this.port, '127.0.0.1');
    await once(listener, 'listening');
    this.#listener = listener;
  }

  /** New connections are refused by the system; those that there are go on. */
  refuse() {
    this.#listener?.close();
    this.#listener = null;
  }

  /** Every connection breaks, as when a machine goes down: a reset. */
  cut() {
    for (const pair of this.#pairs) for (const end of pair) reset(end);
  }

  /** Every connection ends in good order, in both directions. */
  end() {
    for (const pair of this.#pairs) for (const end of pair) end.end();
  }

  /** The client reads the end; what it sends arrives still. */
  endToClient() {
    for (const [near] of this.#pairs) near.end();
  }

  /** Nothing moves, and nobody is told; nothing is lost, either. */
  hold() {
    if (this.#held) return;
    let resolve;
    const promise = new Promise((done) => (resolve = done));
    this.#held = { promise, resolve };
  }

  /** What was held arrives. */
  release() {
    this.#held?.resolve();
    this.#held = null;
  }

  /** Nothing arrives any more, on connections that there are and on new ones, and nobody is told. */
  swallow({ toServer = true, toClient = true } = {}) {
    this.#carries = [!toServer, !toClient];
  }

  /** Takes back `swallow`, for new connections: what was lost on the others is missing there. */
  carry() {
    this.#carries = [true, true];
  }

  close() {
    this.refuse();
    for (const pair of this.#pairs) for (const end of pair) end.destroy();
  }

  #join(near) {
    this.accepted += 1;
    const far = connect({ port: this.server, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    const pair = [near, far];
    this.#pairs.add(pair);
    const leave = () => {
      if (near.destroyed && far.destroyed) this.#pairs.delete(pair);
    };
    for (const end of pair) end.on('error', () => {}).on('close', leave);
    const late = Math.random() * this.jitter;
    this.#pump(near, far, TO_SERVER, late);
    this.#pump(far, near, TO_CLIENT, late);
  }

  #pump(from, to, direction, late) {
    let last = Promise.resolve();
    const later = (run) => {
      const due = Date.now() + this.delay + late;
      last = last.then(() => this.#held?.promise).then(() => due > Date.now() && pause(due - Date.now())).then(run);
    };
    from.on('data', (data) => {
      if (!this.#carries[direction]) return;
      if (this.rate === Infinity) return later(() => to.destroyed || to.write(data));
      from.pause();
      later(async () => {
        await pause(data.length / this.rate);
        if (!to.destroyed) to.write(data);
        from.resume();
      });
    });
    from.on('end', () => {
      if (this.#carries[direction]) later(() => to.end());
    });
    from.on('close', (isError) => {
      if (!this.#carries[direction]) return;
      if (isError) reset(to);
      else if (!from.readableEnded) to.destroy();
    });
  }
}

/** At once, whatever is still to be sent: a socket that waits for that before its reset may wait for ever. */
function reset(socket) {
  if (socket.connecting || socket.writableLength > 0 || socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}
