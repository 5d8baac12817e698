// Our client program itself: commands that are none, and its end in every state. It starts our program, whatever INTEROP_SERVER says.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { test } from 'node:test';
import { startClient } from '../lib/contract-client.js';
import { openSocket } from '../lib/contract-socket.js';
import { eventually, within } from '../lib/deadline.js';
import { startLine } from '../lib/faults.js';
import { startS2 } from '../lib/s2-server.js';
import { isReference } from '../lib/server.js';

const options = isReference && { skip: 'the official client has another program' };

/** Ends its input, and sees that the program ends well. */
async function ends(client) {
  const ended = once(client.child, 'exit');
  client.child.stdin.end();
  assert.deepEqual(await within(ended, 'end of the program', 10_000), [0, null]);
}

const NO_COMMANDS = [
  'no JSON',
  '{"cmd":"emit"',
  '[]',
  'null',
  '17',
  '"emit"',
  '{}',
  '{"cmd":7}',
  '{"cmd":"unheard-of"}',
  '{"cmd":"emit","sock":"nobody","ev":"x","args":[]}',
  '{"cmd":"emit-ack","sock":"nobody","ev":"x","tag":"t"}',
  '{"cmd":"disconnect"}',
  '{"cmd":"auth","sock":"nobody","auth":{}}',
  '{"cmd":"manager","manager":"nobody"}',
  '{"cmd":"open"}',
  '{"cmd":"open","sock":"b","url":"localhost:1"}',
  '{"cmd":"open","sock":"b","url":"http://127.0.0.1:1","opts":{"headers":{"a b":"c"}}}',
  '{"cmd":"open","sock":"b","url":"http://127.0.0.1:1","opts":{"auth":[]}}',
  '{"cmd":"open","sock":"c","url":"http://127.0.0.1:1","opts":{"ca":"no such file"}}',
  Buffer.from([0xff, 0xfe]),
  `{"cmd":"${'x'.repeat(1_000_000)}"}`,
];

test('what is no command is told, and the next one has its turn', options, async (t) => {
  const server = await startS2(t);
  const client = startClient(t, { url: server.url, transport: 'websocket', stderr: 'pipe' });
  let told = '';
  client.child.stderr.setEncoding('utf8').on('data', (text) => (told += text));
  const socket = openSocket(client, 'a', { timeout: -1, reconnectionDelay: -1, ackTimeout: 1e300 });
  const times = { timeout: 1e300, reconnectionDelay: 1e300, reconnectionDelayMax: 1e300 };
  const patient = openSocket(client, 'patient', { manager: 'patient', ...times });
  for (const line of NO_COMMANDS) {
    client.child.stdin.write(line);
    client.child.stdin.write('\n');
  }
  await patient.connected();
  assert.deepEqual(await patient.ask('echo', 1), [1]);
  socket.disconnect();
  await client.sync();
  const lines = () => told.split('\n').filter(Boolean);
  await eventually(() => lines().length === NO_COMMANDS.length, 'a line for each').catch(() => assert.fail(told.slice(0, 10_000)));
  await ends(client);
});

/** A server that opens sessions for polling; what follows is never answered. */
async function startMute(t) {
  const open = '0{"sid":"x","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}';
  const requests = [];
  const http = createServer(({ method, url }, response) => {
    requests.push(method);
    if (!url.includes('sid=')) response.end(open);
  });
  http.on('upgrade', () => requests.push('upgrade'));
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  t.after(() => {
    http.closeAllConnections();
    http.close();
  });
  return { url: `http://127.0.0.1:${http.address().port}`, requests };
}

for (const transport of ['polling', 'websocket']) {
  test(`the program ends while a connection opens (${transport})`, options, async (t) => {
    const server = await startS2(t);
    const line = await startLine(t, server.port);
    line.swallow({ toServer: false });
    const client = startClient(t, { url: line.url, transport });
    openSocket(client);
    await eventually(() => line.accepted > 0, 'a connection');
    await ends(client);
  });

  test(`the program ends while it waits for its next attempt (${transport})`, options, async (t) => {
    const server = await startS2(t);
    const client = startClient(t, { url: server.url, transport });
    const socket = openSocket(client, 'a', { reconnectionDelay: 60_000, reconnectionDelayMax: 60_000 });
    await socket.connected();
    server.sessions[0].close();
    await socket.disconnected();
    await ends(client);
  });
}

test('the program ends while a poll, a POST and an upgrade are never answered', options, async (t) => {
  const { url, requests } = await startMute(t);
  const client = startClient(t, { url, transport: 'upgrade' });
  const socket = openSocket(client);
  for (let n = 0; n < 100; n++) socket.emit('number', n);
  await eventually(() => ['POST', 'GET', 'upgrade'].every((what) => requests.includes(what)), 'all three');
  await ends(client);
});

test('at the end everybody is told, although one of the servers does not answer', options, async (t) => {
  const server = await startS2(t);
  const { url, requests } = await startMute(t);
  const client = startClient(t, { url: server.url, transport: 'websocket' });
  for (let n = 0; n < 5; n++) client.open(`mute${n}`, { manager: `mute${n}`, url, transports: ['polling'] });
  const socket = openSocket(client, 'z', { manager: 'z' });
  await socket.connected();
  await eventually(() => requests.filter((method) => method === 'POST').length === 5, 'all POSTs');
  socket.emit('number', 1);
  await ends(client);
  await eventually(() => server.heard('number').length === 1 && server.sessions.length === 0, 'the last words');
});
