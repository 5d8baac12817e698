// Every generation of the official client, over every transport: the everyday things.

import assert from 'node:assert/strict';
import { connectClient, transportOptions } from '../lib/client.js';
import { eventually, once, within } from '../lib/deadline.js';
import { TRANSPORTS, scenario, suiteServer } from '../lib/harness.js';
import io2 from 'socket.io-client-v2';
import { io as io3 } from 'socket.io-client-v3';
import { io as io40 } from 'socket.io-client-v4.0';
import { io } from 'socket.io-client';

const suite = suiteServer();

const VERSIONS = [
  { version: '2.5.0', io: io2, eio: 3 },
  { version: '3.1.3', io: io3, eio: 4 },
  { version: '4.0.0', io: io40, eio: 4 },
  { version: '4.8.4', io, eio: 4 },
];

/** What the server emits in these tests. Not all versions can listen to everything. */
const EVENTS = ['welcome', 'echo-back', 'answer', 'news', 'seq', 'seq-done', 'binary'];

/** A client with an inbox, by means that all versions have. */
class Client {
  constructor(t, { io }, transport, nsp, options) {
    this.socket = io(`${suite.url}${nsp}`, { forceNew: true, reconnection: false, ...transportOptions(transport), ...options });
    this.manager = this.socket.io;
    t.after(() => this.socket.disconnect());
    this.inbox = new Map(EVENTS.map((event) => [event, []]));
    for (const event of EVENTS) this.socket.on(event, (...args) => this.inbox.get(event).push(args));
    this.socket.on('question', (...args) => args.pop()(...args, 'seen'));
  }

  get transport() {
    return this.manager.engine.transport.name;
  }

  event(name) {
    return eventually(() => this.inbox.get(name).shift(), `event "${name}"`);
  }

  ask(event, ...args) {
    return within(new Promise((resolve) => this.socket.emit(event, ...args, (...answer) => resolve(answer))), `acknowledgement of "${event}"`);
  }

  upgraded() {
    return eventually(() => this.transport === 'websocket', 'upgrade');
  }
}

function everywhere(sentence, run) {
  for (const version of VERSIONS) {
    for (const transport of TRANSPORTS) {
      scenario(`${version.version}: ${sentence} (${transport})`, (t) => {
        const connect = async (nsp = '/', options = {}) => {
          const client = new Client(t, version, transport, nsp, options);
          await once(client.socket, 'connect');
          if (transport === 'upgrade') await client.upgraded();
          return client;
        };
        return run({ t, connect, transport, ...version });
      });
    }
  }
}

everywhere('a client is welcomed', async ({ connect, eio, transport }) => {
  for (const nsp of ['/', '/chat', '/dyn-1']) {
    const client = await connect(nsp);
    const [welcome] = await client.event('welcome');
    assert.equal(welcome.nsp, nsp);
    assert.equal(welcome.sid, client.socket.id);
    assert.equal(welcome.eio, eio);
    const [who] = await client.ask('whoami');
    assert.equal(who.eio, eio);
    assert.equal(who.transport, transport === 'polling' ? 'polling' : 'websocket');
    assert.equal(client.transport, who.transport);
  }
});

everywhere('text and binary are echoed and acknowledged', async ({ connect }) => {
  const client = await connect();
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
  for (const args of [[], [null, 1.5, true, 'grüße 🦀'], [bytes], [Buffer.alloc(0)], ['ü🦀', { deep: [bytes, 'x', { more: bytes }] }], ['x'.repeat(100_000), Buffer.alloc(100_000, 7)]]) {
    client.socket.emit('echo', ...args);
    assert.deepEqual(await client.event('echo-back'), args);
    assert.deepEqual(await client.ask('echo-ack', ...args), args);
  }
  client.socket.emit('binary-gen', 300);
  const [generated] = await client.event('binary');
  assert.deepEqual([...generated], Array.from({ length: 300 }, (_, i) => i % 256));
});

everywhere('the server asks and the client answers', async ({ connect }) => {
  const client = await connect();
  client.socket.emit('ask', 1, Buffer.from('x'), 'ü');
  assert.deepEqual(await client.event('answer'), [1, Buffer.from('x'), 'ü', 'seen']);
});

everywhere('rooms reach their members, of this version and of others', async ({ t, connect, version, transport }) => {
  const room = `room of ${version} over ${transport}`;
  const [one, two, current] = await Promise.all([connect(), connect(), connectClient(t, suite.url)]);
  const news = [version, { data: Buffer.from([1, 2, 3]) }];
  const to = (changes) => ({ scope: 'socket', rooms: [room], except: [], ev: 'news', args: news, ...changes });
  assert.deepEqual(await two.ask('join', room), ['ok']);
  assert.deepEqual(await current.ask('join', room), ['ok']);
  assert.deepEqual(await two.ask('rooms'), [[room]]);
  one.socket.emit('emit-to', to());
  assert.deepEqual(await two.event('news'), news);
  assert.deepEqual(await current.event('news'), news);
  current.emit('emit-to', to({ rooms: [one.socket.id] }));
  assert.deepEqual(await one.event('news'), news);
  assert.deepEqual(await two.ask('leave', room), ['ok']);
  one.socket.emit('emit-to', to());
  assert.deepEqual(await current.event('news'), news);
  await two.ask('echo-ack');
  assert.deepEqual(two.inbox.get('news'), []);
});

everywhere('a long stream arrives in order', async ({ connect }) => {
  const client = await connect();
  client.socket.emit('burst', 500);
  for (let i = 0; i < 500; i++) client.socket.emit('seq-in', i);
  assert.deepEqual(await client.ask('seq-report'), [{ count: 500, ordered: true }]);
  assert.deepEqual(await client.event('seq-done'), [500]);
  assert.deepEqual(client.inbox.get('seq'), Array.from({ length: 500 }, (_, i) => [i]));
});

everywhere('a client comes back after a restart of the server', async ({ connect, transport }) => {
  const client = await connect('/', { reconnection: true, reconnectionDelay: 50, reconnectionDelayMax: 100 });
  await client.event('welcome');
  const id = client.socket.id;
  const gone = once(client.socket, 'disconnect');
  const attempt = once(client.manager, 'reconnect_attempt');
  await suite.process.kill();
  const [reason] = await gone;
  assert.ok(['transport close', 'transport error'].includes(reason), reason);
  await attempt;
  client.socket.emit('echo', 'buffered', Buffer.from([1]));
  const back = once(client.socket, 'connect');
  await suite.process.restart();
  await back;
  assert.deepEqual(await client.event('echo-back'), ['buffered', Buffer.from([1])]);
  assert.equal((await client.event('welcome'))[0].sid, client.socket.id);
  assert.notEqual(client.socket.id, id);
  if (transport === 'upgrade') await client.upgraded();
  assert.deepEqual(await client.ask('echo-ack', 'alive'), ['alive']);
});
