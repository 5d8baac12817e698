// The example `drain`: the clients of one server move to the other while it ends.
//
// The official server has neither a drain nor health, so this example has no counterpart.

import assert from 'node:assert/strict';
import http from 'node:http';
import net from 'node:net';
import { createClient } from '../lib/client.js';
import { PATIENCE, eventually, once, within } from '../lib/deadline.js';
import { TRANSPORTS, scenario } from '../lib/harness.js';
import { request } from '../lib/raw.js';
import { exampleCommand, startServer } from '../lib/server.js';

const OVER = 5;

async function start(t, over = OVER) {
  const server = await startServer({ program: exampleCommand('drain'), env: { OVER: String(over) } });
  t.after(() => server.stop());
  return server;
}

async function health(port) {
  const { status, body } = await request(port, { path: '/healthz' });
  return { status, ...JSON.parse(body) };
}

/** A load balancer: requests of a session go where it was opened, handshakes to the first server that is healthy. */
class Balancer {
  servers = [];
  sessions = new Map();

  static async listen(t) {
    const balancer = new Balancer();
    const server = http.createServer((incoming, outgoing) => balancer.forward(incoming, outgoing));
    server.on('upgrade', (incoming, socket, ahead) => balancer.tunnel(incoming, socket, ahead));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => {
      server.close();
      server.closeAllConnections();
    });
    balancer.url = `http://127.0.0.1:${server.address().port}`;
    return balancer;
  }

  async choose(incoming) {
    const sid = new URL(incoming.url, 'http://localhost').searchParams.get('sid');
    if (sid) return { sid, port: this.sessions.get(sid) };
    for (const { port } of this.servers) {
      // One that has ended is not healthy, either.
      const { status } = await health(port).catch(() => ({}));
      if (status === 200) return { sid, port };
    }
    throw new Error('no server is healthy');
  }

  async forward(incoming, outgoing) {
    const { sid, port } = await this.choose(incoming);
    const { method, url: path, headers } = incoming;
    const passed = http.request({ port, host: '127.0.0.1', method, path, headers, agent: false }, async (response) => {
      const chunks = await response.toArray();
      const body = Buffer.concat(chunks);
      if (!sid && response.statusCode === 200) this.sessions.set(JSON.parse(body.subarray(1)).sid, port);
      outgoing.writeHead(response.statusCode, response.headers).end(body);
    });
    passed.on('error', () => outgoing.destroy());
    incoming.pipe(passed);
  }

  async tunnel(incoming, socket, ahead) {
    const { port } = await this.choose(incoming);
    const { rawHeaders } = incoming;
    const lines = rawHeaders.map((text, index) => (index % 2 ? `${text}\r\n` : `${text}: `)).join('');
    const server = net.connect(port, '127.0.0.1');
    server.write(`GET ${incoming.url} HTTP/1.1\r\n${lines}\r\n`);
    server.write(ahead);
    for (const [from, to] of [[server, socket], [socket, server]]) {
      from.pipe(to);
      from.on('error', () => to.destroy());
    }
  }
}

/** A client that notes what happens to its connection. */
async function witness(t, url, transport) {
  const client = createClient(t, url, { transport, reconnection: true, reconnectionDelay: 10, reconnectionDelayMax: 50 });
  await client.connected();
  client.ends = [];
  client.errors = [];
  client.socket.on('disconnect', (reason) => client.ends.push(reason));
  client.socket.on('connect_error', (error) => client.errors.push(error.message));
  client.manager.on('error', (error) => client.errors.push(error.message));
  return client;
}

scenario('clients move to the other server, one after the other, and see no error', async (t) => {
  const balancer = await Balancer.listen(t);
  const [first, second] = await Promise.all([start(t), start(t)]);
  balancer.servers = [first];
  const clients = await Promise.all(Array.from({ length: 12 }, (_, i) => witness(t, balancer.url, TRANSPORTS[i % 3])));
  for (const client of clients) assert.deepEqual(await client.event('served by'), [first.port]);
  balancer.servers = [first, second];
  const { uptime, ...others } = await health(first.port);
  assert.equal(typeof uptime, 'number');
  assert.deepEqual(others, { status: 200, state: 'serving', connections: 12, sockets: 12, unfinished_handlers: 0 });

  first.child.kill('SIGTERM');
  const draining = await eventually(async () => {
    const answer = await health(first.port);
    return answer.status === 503 && answer;
  }, 'the drain');
  assert.equal(draining.state, 'draining');
  // Those that are still there are served: each of them is answered, or its turn to go has come.
  const there = clients.filter((client) => client.ends.length === 0);
  const answers = await Promise.all(there.map((client) => client.socket.timeout(PATIENCE).emitWithAck('echo', 1).catch((error) => error.message)));
  for (const answer of answers) assert.ok(answer === 1 || answer === 'socket has been disconnected', String(answer));
  assert.ok(answers.includes(1), 'somebody was there and nobody was answered');

  for (const client of clients) assert.deepEqual(await client.event('served by'), [second.port]);
  assert.equal(await within(first.exited, 'end of the server'), 'exit 0');
  // Who was cut off while it said something may hear of that first.
  const interrupted = there.filter((_, index) => answers[index] !== 1);
  for (const client of clients) {
    assert.equal(client.ends.length, 1);
    assert.ok(client.ends[0] === 'transport close' || interrupted.includes(client), client.ends[0]);
    assert.deepEqual(client.errors, []);
    assert.deepEqual(await client.ask('echo', 'again'), ['again']);
  }
  const left = [...first.stdout.matchAll(/^(\d+) connections left$/gm)].map(([, count]) => Number(count));
  assert.deepEqual(left, left.toSorted((a, b) => b - a));
  // One by one: the last of twelve is closed when that much of the time has passed, by the clock of the server.
  const [, took] = first.stdout.match(/^closed 12, left 0, cut off 0, unfinished handlers 0, in (\d+\.\d) s$/m);
  assert.ok(Number(took) >= OVER * 0.85, first.stdout);
  assert.equal((await health(second.port)).connections, 12);
});

scenario('a handler that is running may end first', async (t) => {
  const server = await start(t, 0);
  const client = await witness(t, server.url, 'websocket');
  client.emit('work', 1500);
  await client.ask('echo', 1);
  server.child.kill('SIGTERM');
  assert.equal(await within(server.exited, 'end of the server'), 'exit 0');
  assert.match(server.stdout, /^work done\nclosed 1, left 0, cut off 0, unfinished handlers 0, in \d+\.\d s$/m);
});

scenario('a second signal ends the drain at once', async (t) => {
  const server = await start(t, 600);
  const clients = await Promise.all(TRANSPORTS.map((transport) => witness(t, server.url, transport)));
  server.child.kill('SIGTERM');
  await eventually(async () => (await health(server.port)).state === 'draining', 'the drain');
  server.child.kill('SIGTERM');
  assert.equal(await within(server.exited, 'end of the server'), 'exit 0');
  for (const client of clients) assert.equal(await client.disconnected(), 'transport close');
  assert.match(server.stdout, /^closed 1, left 0, cut off 2, /m);
});
