// Disconnection from either side, with the words of both sides for the reason.

import assert from 'node:assert/strict';
import { eventually, within } from '../lib/deadline.js';
import { overTransports, scenario, suiteServer } from '../lib/harness.js';
import { connectClient } from '../lib/client.js';
import { PollingSession, WebSocketSession } from '../lib/raw.js';

const suite = suiteServer();

/** The server's word for the end of a socket, asked by a socket of the same namespace. */
function serverReason(watcher, sid) {
  return eventually(async () => (await watcher.ask('reason', sid))[0], `reason of ${sid}`);
}

async function assertReason(connect, client, sid, expected) {
  const watcher = await connect({ transport: 'websocket', nsp: client.socket.nsp });
  const reason = await serverReason(watcher, sid);
  assert.ok([expected].flat().includes(reason), reason);
}

overTransports(suite, 'the client leaves', async ({ connect }) => {
  const client = await connect();
  const sid = client.id;
  client.socket.disconnect();
  assert.equal(await client.disconnected(), 'io client disconnect');
  await assertReason(connect, client, sid, 'client namespace disconnect');
});

overTransports(suite, 'the server ends the namespace', async ({ connect }) => {
  const client = await connect();
  const sid = client.id;
  client.emit('disconnect-me', false);
  assert.equal(await client.disconnected(), 'io server disconnect');
  await assertReason(connect, client, sid, 'server namespace disconnect');
});

overTransports(suite, 'the server ends the connection with all its namespaces', async ({ connect }) => {
  const client = await connect();
  const chat = await client.open('/chat').connected();
  const ids = [client.id, chat.id];
  const closed = client.engineEvent('close');
  client.emit('disconnect-me', true);
  assert.equal(await client.disconnected(), 'io server disconnect');
  assert.equal(await chat.disconnected(), 'io server disconnect');
  await closed;
  await assertReason(connect, client, ids[0], 'server namespace disconnect');
  await assertReason(connect, chat, ids[1], 'server namespace disconnect');
});

overTransports(suite, 'what the server sent before it ends the connection still arrives', async ({ connect }) => {
  const client = await connect();
  client.emit('burst', 50);
  client.emit('disconnect-me', true);
  assert.equal(await client.disconnected(), 'io server disconnect');
  assert.equal(client.received('seq').length, 50);
  assert.deepEqual(client.received('seq-done'), [[50]]);
});

overTransports(suite, 'the client closes the engine', async ({ connect }) => {
  const client = await connect();
  const chat = await client.open('/chat').connected();
  const ids = [client.id, chat.id];
  client.engine.close();
  assert.equal(await client.disconnected(), 'forced close');
  assert.equal(await chat.disconnected(), 'forced close');
  await assertReason(connect, client, ids[0], 'transport close');
  await assertReason(connect, chat, ids[1], 'transport close');
});

for (const transport of ['websocket', 'upgrade']) {
  scenario(`the connection of a WebSocket breaks (${transport})`, async (t) => {
    const client = await connectClient(t, suite.url, { transport });
    const sid = client.id;
    client.engine.transport.ws.terminate();
    assert.equal(await client.disconnected(), 'transport close');
    const watcher = await connectClient(t, suite.url);
    assert.equal(await serverReason(watcher, sid), 'transport close');
  });
}

scenario('the request of a poll breaks', async (t) => {
  const session = await PollingSession.open(t, suite.port);
  const sid = await session.connect();
  session.abortPoll();
  const watcher = await connectClient(t, suite.url);
  assert.equal(await serverReason(watcher, sid), 'transport error');
});

scenario('a close packet ends a polling session', async (t) => {
  const session = await PollingSession.open(t, suite.port);
  const sid = await session.connect();
  assert.equal((await session.post('1')).body, 'ok');
  const watcher = await connectClient(t, suite.url);
  assert.equal(await serverReason(watcher, sid), 'transport close');
});

scenario('garbage of the engine behind garbage of Socket.IO changes nothing', async (t) => {
  const session = await PollingSession.open(t, suite.port);
  const sid = await session.connect();
  await session.send('4x', 'x');
  assert.ok((await session.closed()).announced);
  const watcher = await connectClient(t, suite.url);
  assert.ok(['forced close', 'forced server close'].includes(await serverReason(watcher, sid)));
});

for (const Session of [PollingSession, WebSocketSession]) {
  scenario(`garbage of the engine is a parse error (${Session.transport})`, async (t) => {
    const session = await Session.open(t, suite.port);
    const sid = await session.connect();
    await session.send('x');
    await session.closed();
    const watcher = await connectClient(t, suite.url);
    assert.equal(await serverReason(watcher, sid), 'parse error');
  });

  scenario(`garbage of Socket.IO forces the close (${Session.transport})`, async (t) => {
    const session = await Session.open(t, suite.port);
    const sid = await session.connect();
    await session.send('4x');
    await session.closed();
    const watcher = await connectClient(t, suite.url);
    assert.ok(['forced close', 'forced server close'].includes(await serverReason(watcher, sid)));
  });

  scenario(`a peer that never pongs is timed out (${Session.transport})`, async (t) => {
    const started = Date.now();
    const session = await Session.open(t, suite.port, { pong: false });
    const sid = await session.connect();
    const closed = session.closed();
    const watcher = await connectClient(t, suite.url);
    assert.equal(await serverReason(watcher, sid), 'ping timeout');
    const elapsed = Date.now() - started;
    assert.ok(elapsed > 4950, `timed out after ${elapsed} ms`);
    await closed;
  });
}

scenario('a peer that neither polls nor pongs is timed out', async (t) => {
  const session = await PollingSession.open(t, suite.port);
  const sid = await session.connect();
  const watcher = await connectClient(t, suite.url);
  assert.equal(await serverReason(watcher, sid), 'ping timeout');
  const refusal = await session.get();
  assert.equal(refusal.body, '{"code":1,"message":"Session ID unknown"}');
});

overTransports(suite, 'a server that falls silent is noticed by the client', async ({ connect }) => {
  const client = await connect();
  suite.process.child.kill('SIGSTOP');
  try {
    assert.equal(await client.disconnected(), 'ping timeout');
  } finally {
    suite.process.child.kill('SIGCONT');
  }
  await (await connect()).flush();
});

overTransports(suite, 'the server that dies is noticed by all its clients', async ({ connect }) => {
  const clients = await Promise.all([connect(), connect(), connect({ nsp: '/chat' })]);
  await suite.process.kill();
  for (const client of clients) {
    assert.ok(['transport close', 'transport error'].includes(await client.disconnected()));
  }
  await suite.process.restart();
  await within((await connect()).flush(), 'life after the restart');
});
