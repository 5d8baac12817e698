// The Engine.IO client program under test, and the official server that it talks to.

import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
import { dirname, join, resolve as resolvePath } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Server } from 'engine.io';
import { within } from './deadline.js';
import { isReference } from './server.js';

/** Starts a client: `engine_client` beside the program of INTEROP_SERVER, or the official one. */
export function startClient(t) {
  const reference = fileURLToPath(new URL('reference-engine-client.js', import.meta.url));
  const program = process.env.INTEROP_SERVER;
  if (!program) throw new Error('INTEROP_SERVER is not set: the path of a server program, or "reference"');
  const path = resolvePath(process.env.INIT_CWD ?? process.cwd(), program);
  const [command, ...args] = isReference ? [process.execPath, reference] : [join(dirname(path), 'engine_client')];
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  return new EngineClient(child);
}

class EngineClient {
  constructor(child) {
    this.child = child;
    this.events = [];
    this.waiting = [];
    let rest = '';
    child.stdout.setEncoding('utf8').on('data', (text) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop();
      for (const line of lines) this.push(JSON.parse(line));
    });
    child.once('exit', () => this.push({ event: 'exit' }));
  }

  push(event) {
    const waiting = this.waiting.shift();
    if (waiting) waiting(event);
    else this.events.push(event);
  }

  command(command) {
    this.child.stdin.write(JSON.stringify(command) + '\n');
  }

  connect(options) {
    this.command({ connect: options });
  }

  /** Queues all messages at once. */
  send(...messages) {
    this.command({ send: messages.map((message) => (typeof message === 'string' ? message : [...message])) });
  }

  close() {
    this.command('close');
  }

  /** What happens next, whatever it is. */
  any() {
    const event = this.events.shift();
    if (event) return event;
    return within(new Promise((resolve) => this.waiting.push(resolve)), 'event of the client');
  }

  /** The next event of that name; others before it are skipped. */
  async next(name) {
    const skipped = [];
    for (;;) {
      let event;
      try {
        event = await this.any();
      } catch (error) {
        throw new Error(`${error.message}: "${name}" after ${JSON.stringify(skipped)}`);
      }
      if (event.event === name) return event;
      skipped.push(event);
      if (event.event === 'exit') throw new Error(`the client ended before "${name}": ${JSON.stringify(skipped)}`);
    }
  }

  /** The next message. */
  async message() {
    for (;;) {
      const event = await this.any();
      if (event.event === 'text') return event.data;
      if (event.event === 'binary') return Buffer.from(event.data);
      if (event.event !== 'upgrade') throw new Error(`a message was expected: ${JSON.stringify(event)}`);
    }
  }
}

/**
 * The official server with the behaviour that the official client's tests expect: `hi` at first, a few
 * requests, echo. `requests` collects what arrives.
 */
export async function startEngine(t, options = {}) {
  const http = createServer();
  const engine = new Server({
    pingInterval: 500,
    maxHttpBufferSize: 100,
    allowRequest: (req, done) => {
      const denied = new URL(`http://localhost${req.url}`).searchParams.has('deny');
      done(denied ? 'denied' : null, !denied);
    },
    ...options,
  });
  const requests = [];
  engine.attach(http);
  // The engine hides requests from listeners that came before it. Without a listener, upgrades are requests.
  for (const event of ['request', 'upgrade']) {
    if (http.listenerCount(event) === 0) continue;
    http.prependListener(event, ({ method, url, headers }) => requests.push({ method, url, headers }));
  }
  engine.on('initial_headers', (headers) => {
    headers['Set-Cookie'] = [
      '1=1; Max-Age=86400',
      '2=2; Path=/; HttpOnly; SameSite=Strict',
      '3=3; Max-Age=0',
      `4=4; Expires=${new Date().toUTCString()}`,
    ];
  });
  const sockets = [];
  engine.on('connection', (socket) => {
    sockets.push(socket);
    socket.closed = new Promise((resolve) => socket.on('close', resolve));
    if (!options.quiet) socket.send('hi');
    socket.on('message', (data) => {
      if (data === 'give binary') socket.send(Buffer.from([0, 1, 2, 3, 4]));
      else if (data === 'give utf8') socket.send('пойду спать всем спокойной ночи');
      else socket.send(data);
    });
  });
  await new Promise((resolve) => http.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    // Whoever is still on polling would be waited for.
    for (const socket of sockets) socket.transport.closeTimeout = 0;
    engine.close();
    http.closeAllConnections();
    http.close();
  });
  return { engine, http, requests, sockets, url: `http://127.0.0.1:${http.address().port}` };
}
