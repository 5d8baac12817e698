// The mode for suites of clients: every namespace and every event of it.

import assert from 'node:assert/strict';
import { createClient } from '../lib/client.js';
import { once, within } from '../lib/deadline.js';
import { TRANSPORTS, overTransports, scenario, suiteServer } from '../lib/harness.js';

const suite = suiteServer({ mode: 'sio-client' });
const BYTES = Buffer.from('asdfasdf');

/** What recovery adds to an event for the client: an offset, behind everything else. */
const withoutOffset = (args) => {
  assert.equal(typeof args.at(-1), 'string', 'the offset');
  return args.slice(0, -1);
};

overTransports(suite, 'the handshake announces a ping every two seconds', async ({ connect }) => {
  const client = await connect();
  assert.equal(client.engine._pingInterval, 2000);
});

overTransports(suite, 'events come back as they are asked for', async ({ connect }) => {
  const client = await connect();
  client.emit('hi');
  assert.deepEqual(withoutOffset(await client.event('hi')), []);
  for (const value of [0, '', 'text', null, false, { nested: [1, { two: BYTES }] }, BYTES]) {
    assert.deepEqual(await client.ask('echo', value), [value]);
  }
  client.emit('false');
  assert.deepEqual(withoutOffset(await client.event('false')), [false]);
  client.emit('getUtf8');
  for (const text of ['てすと', 'Я Б Г Д Ж Й', 'Ä ä Ü ü ß', 'utf8 — string', 'utf8 — string']) {
    assert.deepEqual(withoutOffset(await client.event('takeUtf8')), [text]);
  }
});

overTransports(suite, 'dates are ISO strings of now', async ({ connect }) => {
  const client = await connect();
  const check = (date) => {
    assert.match(date, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.ok(Math.abs(Date.parse(date) - Date.now()) < 60_000, date);
  };
  check((await client.ask('getAckDate', { some: 'data' }))[0]);
  client.emit('getDate');
  check((await client.event('takeDate'))[0]);
  client.emit('getDateObj');
  const [object] = await client.event('takeDateObj');
  assert.deepEqual(Object.keys(object), ['date']);
  check(object.date);
});

overTransports(suite, 'binary goes both ways', async ({ connect }) => {
  const client = await connect();
  client.emit('doge');
  assert.deepEqual(withoutOffset(await client.event('doge')), [BYTES]);
  client.emit('getbin');
  assert.deepEqual(withoutOffset(await client.event('takebin')), [BYTES]);

  client.emit('buffa', 'no binary');
  client.emit('jsonbuff', { hello: 'lol', message: 'no binary', goodbye: 'gotcha' });
  client.emit('jsonbuff', { hello: 'other', message: BYTES, goodbye: 'gotcha' });
  client.emit('abuff1', 'no binary');
  client.emit('abuff2');
  await client.ask('echo', 'everything before it was heard');
  assert.deepEqual(client.inbox, []);

  client.emit('buffa', BYTES);
  await client.event('buffack');
  client.emit('jsonbuff', { hello: 'lol', message: BYTES, goodbye: 'gotcha' });
  await client.event('jsonbuff-ack');
  client.emit('abuff1', BYTES);
  client.emit('abuff2', 'more');
  await client.event('abuff2-ack');
});

overTransports(suite, 'a question of the server is answered', async ({ connect }) => {
  const client = await connect();
  let answer = [];
  client.socket.on('ack', (reply) => reply(...answer));
  for (answer of [[6, { test: true }], [5, { test: '' }], [5, { other: 1 }]]) {
    client.emit('ack');
    await client.event('ack');
  }
  await client.ask('echo', 'all answers were heard');
  assert.deepEqual(client.received('got it'), []);
  answer = [5, { test: true }];
  client.emit('ack');
  await client.event('got it');
});

const FIELDS = ['headers', 'time', 'address', 'xdomain', 'secure', 'issued', 'url', 'query', 'auth'];

overTransports(suite, 'the handshake can be had, as event and as acknowledgement', async ({ connect }) => {
  const client = await connect({ query: { a: 'ö b' }, auth: { token: 'secret' }, extraHeaders: { 'x-mine': '1' } });
  const other = client.open('/abc', { b: [1] });
  const [handshake] = await client.ask('getHandshake');
  const [ofOther] = await other.event('handshake');
  for (const [found, auth] of [[handshake, { token: 'secret' }], [ofOther, { b: [1] }]]) {
    assert.deepEqual(Object.keys(found), FIELDS);
    assert.equal(found.headers['x-mine'], '1');
    assert.equal(found.query.a, 'ö b');
    assert.equal(found.query.EIO, '4');
    assert.deepEqual(found.auth, auth);
    assert.deepEqual([found.address, found.xdomain, found.secure], ['127.0.0.1', false, false]);
    assert.ok(found.url.startsWith('/socket.io/?'), found.url);
    assert.equal(Math.floor(Date.parse(found.time) / 1000), Math.floor(found.issued / 1000));
  }
});

overTransports(suite, 'ids are those of the client, in each namespace', async ({ connect }) => {
  const client = await connect();
  const foo = client.open('/foo');
  await foo.connected();
  assert.deepEqual(await client.ask('getId'), [client.id]);
  assert.deepEqual(await foo.ask('getId'), [foo.id]);
  assert.notEqual(foo.id, client.id);
});

overTransports(suite, 'namespaces without handlers are there, others are not', async ({ connect }) => {
  const client = await connect();
  for (const name of ['/timeout_socket', '/valid', '/asd', '/abc']) await client.open(name).connected();
  assert.equal((await client.open('/invalid').refused()).message, 'Invalid namespace');
});

for (const transport of TRANSPORTS) {
  scenario(`refusals have their own messages (${transport})`, async (t) => {
    const refusals = [
      ['/', { fail: '1' }, 'Auth failed (main namespace)'],
      ['/no', {}, 'Auth failed (custom namespace)'],
    ];
    for (const [nsp, query, message] of refusals) {
      assert.equal((await createClient(t, suite.url, { transport, nsp, query }).refused()).message, message);
    }
    await createClient(t, suite.url, { transport, query: { fail: '' } }).connected();
  });
}

overTransports(suite, 'a client whose connection broke is recovered', async ({ connect }) => {
  const client = await connect({ reconnection: true, reconnectionDelay: 10 });
  const { id } = client;
  client.emit('hi');
  await client.event('hi');
  const back = new Promise((resolve) => client.socket.once('disconnect', () => client.socket.once('connect', resolve)));
  client.engine.close();
  await within(back, 'reconnection');
  assert.deepEqual([client.socket.recovered, client.id], [true, id]);
});

scenario('pings keep the connection', async (t) => {
  const client = await createClient(t, suite.url).connected();
  await once(client.manager, 'ping');
  await once(client.manager, 'ping');
  assert.equal(client.socket.connected, true);
});
