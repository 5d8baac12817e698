// The stand-alone listener: TLS, Unix sockets, more connections than file descriptors.
//
// The official server has no listener of its own, it stands on those of Node.js: there is nothing to compare with, and
// the tests say that they are skipped for it.

import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import tls from 'node:tls';
import { connectClient } from '../lib/client.js';
import { eventually, once, within } from '../lib/deadline.js';
import { TRANSPORTS } from '../lib/harness.js';
import { freePort, isReference, siblingCommand, startServer } from '../lib/server.js';

const skip = isReference && 'the official server has no listener of its own';

/** A server on all listeners, which is stopped when the test ends; `limit` is how many files it may open. */
async function start(t, limit) {
  const folder = mkdtempSync(join(tmpdir(), 'listeners-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const certificate = join(folder, 'certificate.pem');
  const socket = join(folder, 'socket');
  const tlsPort = await freePort();
  const program = siblingCommand('listeners_server');
  const limited = limit ? ['bash', '-c', `ulimit -n ${limit} && exec "$0"`, ...program] : program;
  const env = { CERTIFICATE: certificate, SOCKET: socket, TLS_PORT: String(tlsPort) };
  const server = await startServer({ program: limited, env });
  t.after(() => server.stop());
  return { server, socket, tlsPort, url: `https://127.0.0.1:${tlsPort}`, ca: readFileSync(certificate) };
}

/** An agent whose connections go to a Unix socket. */
function unixAgent(path) {
  const agent = new http.Agent();
  agent.createConnection = (_, connected) => net.connect(path, connected);
  return agent;
}

for (const transport of TRANSPORTS) {
  test(`a client talks over TLS (${transport})`, { skip }, async (t) => {
    const { url, ca } = await start(t);
    const client = await connectClient(t, url, { transport, ca });
    assert.deepEqual(await client.ask('ask', 'x'.repeat(200_000), Buffer.from('y')), ['x'.repeat(200_000), Buffer.from('y')]);
    const [handshake] = await client.ask('handshake');
    assert.equal(handshake.secure, true);
    assert.equal(handshake.address, '127.0.0.1');
    assert.equal(client.engine.transport.name, transport === 'polling' ? 'polling' : 'websocket');
  });

  test(`a client talks over a Unix socket (${transport})`, { skip }, async (t) => {
    const { socket } = await start(t);
    const client = await connectClient(t, 'http://localhost', { transport, agent: unixAgent(socket) });
    assert.deepEqual(await client.ask('ask', 1, { a: Buffer.from('y') }), [1, { a: Buffer.from('y') }]);
    const [handshake] = await client.ask('handshake');
    assert.equal(handshake.secure, false);
    assert.equal(handshake.address, null);
  });
}

test('who cannot agree on encryption disturbs nobody', { skip }, async (t) => {
  const { url, ca, tlsPort } = await start(t);
  const silent = net.connect(tlsPort, '127.0.0.1');
  t.after(() => silent.destroy());
  const plain = net.connect(tlsPort, '127.0.0.1', () => plain.write('GET / HTTP/1.1\r\n\r\n'));
  plain.on('error', () => {}).resume();
  await once(plain, 'close');
  const old = tls.connect({ port: tlsPort, host: '127.0.0.1', ca, maxVersion: 'TLSv1.1', minVersion: 'TLSv1', ciphers: 'ALL:@SECLEVEL=0' });
  await once(old, 'error');
  const client = await connectClient(t, url, { ca });
  assert.deepEqual(await client.ask('ask', 1), [1]);
  await assert.rejects(connectClient(t, url, {}), /websocket error/);
});

test('HTTP/2 is there for those who want it', { skip }, async (t) => {
  const { url, ca } = await start(t);
  const session = http2.connect(url, { ca });
  t.after(() => session.destroy());
  const request = session.request({ ':path': '/socket.io/?EIO=4&transport=polling' });
  const [headers] = await once(request, 'response');
  assert.equal(headers[':status'], 200);
  request.resume();
  const socket = tls.connect({ port: Number(new URL(url).port), ca, ALPNProtocols: ['http/1.1'] });
  await once(socket, 'secureConnect');
  assert.equal(socket.alpnProtocol, 'http/1.1');
  socket.destroy();
});

test('the file of a Unix socket goes with the server, and one that was left behind is replaced', { skip }, async (t) => {
  const { server, socket } = await start(t);
  await server.kill();
  assert.ok(existsSync(socket));
  await server.restart();
  const client = await connectClient(t, 'http://localhost', { agent: unixAgent(socket) });
  assert.deepEqual(await client.ask('ask', 1), [1]);
  await server.stop();
  assert.equal(await server.exited, 'exit 0');
  assert.ok(!existsSync(socket));
});

test('a listener without file descriptors recovers', { skip }, async (t) => {
  const { server } = await start(t, 48);
  const before = await connectClient(t, server.url);
  const idle = Array.from({ length: 80 }, () => net.connect(server.port, '127.0.0.1').on('error', () => {}));
  t.after(() => idle.forEach((socket) => socket.destroy()));
  await Promise.all(idle.map((socket) => within(new Promise((resolve) => socket.once('connect', resolve)), 'connection')));
  // Nobody answers the last ones, for the system lets nobody in.
  idle.at(-1).write('GET /socket.io/ HTTP/1.1\r\nHost: localhost\r\n\r\n');
  let answered = false;
  idle.at(-1).once('data', () => (answered = true));
  assert.deepEqual(await before.ask('ask', 1), [1]);
  assert.equal(answered, false);
  idle.slice(0, -1).forEach((socket) => socket.destroy());
  await eventually(() => answered, 'answer to the one that waited');
  const after = await connectClient(t, server.url);
  assert.deepEqual(await after.ask('ask', 1), [1]);
});
