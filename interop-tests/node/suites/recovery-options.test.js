// Connection state recovery when middlewares are asked again, and when nobody is waited for for long.

import assert from 'node:assert/strict';
import { eventually, once, pause } from '../lib/deadline.js';
import { overTransports, suiteServer } from '../lib/harness.js';
import { isReference } from '../lib/server.js';

const careful = suiteServer({ program: 'feature_server', mode: 'recovery' });
const short = suiteServer({ program: 'feature_server', mode: 'recovery-short' });

/** Breaks the connection, and waits until the server has noticed. */
async function away(client, watcher) {
  const ended = once(client.socket, 'disconnect');
  if (client.engine.transport.ws) client.engine.transport.ws.terminate();
  else client.engine.transport.onError('the network is down');
  await ended;
  await eventually(async () => (await watcher.ask('here'))[0] === 1, 'the end of the connection');
}

/** What was said to the client, without the offsets. */
const said = (client) => client.received('said').map((args) => args.slice(0, -1));

async function pair(connect, url) {
  const watcher = await connect({ url });
  const client = await connect({ url });
  const [recovered, number] = await client.event('hello');
  assert.deepEqual([recovered, number], [false, 1]);
  return { watcher, client, id: client.id };
}

overTransports(careful, 'data is recovered, and volatile events and questions are not', async ({ connect }) => {
  const { watcher, client, id } = await pair(connect);
  await away(client, watcher);
  await watcher.ask('say', 'a', Buffer.from('b'));
  watcher.emit('say-volatile', 'volatile');
  // The watcher is in the room and does not answer.
  await watcher.ask('ask', 'anybody?');
  await watcher.ask('say', 'c');
  client.socket.connect();
  const [recovered, number] = await client.event('hello');
  assert.deepEqual([recovered, number, client.id], [true, 2, id]);
  assert.deepEqual(said(client), [['a', Buffer.from('b')], ['c']]);
  assert.deepEqual(client.received('asked'), []);
});

overTransports(careful, 'what is said while a middleware waits is lost neither nor doubled', async ({ connect }) => {
  const { watcher, client } = await pair(connect);
  await away(client, watcher);
  await watcher.ask('say', 'before');
  client.socket.auth = { wait: true };
  const back = once(client.socket, 'connect');
  client.socket.connect();
  await eventually(async () => (await watcher.ask('waiting'))[0] === 1, 'the middleware');
  await watcher.ask('say', 'meanwhile');
  watcher.emit('open');
  await back;
  await watcher.ask('say', 'afterwards');
  await client.ask('here');
  assert.equal(client.socket.recovered, true);
  // The reference loses what is sent meanwhile.
  assert.deepEqual(said(client), isReference ? [['before'], ['afterwards']] : [['before'], ['meanwhile'], ['afterwards']]);
});

overTransports(careful, 'who is refused gets nothing, and may come back later', async ({ connect }) => {
  const { watcher, client, id } = await pair(connect);
  await away(client, watcher);
  await watcher.ask('say', 'secret');
  client.socket.auth = { no: 1 };
  const refused = once(client.socket, 'connect_error');
  client.socket.connect();
  assert.equal((await refused)[0].message, 'no');
  client.socket.auth = {};
  const back = once(client.socket, 'connect');
  client.socket.connect();
  await back;
  assert.deepEqual([client.socket.recovered, client.id], [true, id]);
  await client.ask('here');
  // The reference has sent it to the one it refused; that is the first one of two.
  assert.deepEqual(said(client), isReference ? [['secret'], ['secret']] : [['secret']]);
});

overTransports(short, 'who is away for too long is new', async ({ connect }) => {
  const { watcher, client, id } = await pair(connect, short.url);
  await away(client, watcher);
  await watcher.ask('say', 'missed');
  await pause(500);
  client.socket.connect();
  const [recovered, number] = await client.event('hello');
  assert.deepEqual([recovered, number], [false, 1]);
  assert.notEqual(client.id, id);
  assert.deepEqual(said(client), []);
});
