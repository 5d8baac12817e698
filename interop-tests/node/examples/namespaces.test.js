// The example `namespaces`: a name, a path with parameters, a decision that takes its time, and one emit for a family.

import assert from 'node:assert/strict';
import { createClient } from '../lib/client.js';
import { eventually } from '../lib/deadline.js';
import { overTransports, suiteServer } from '../lib/harness.js';
import { exampleCommand } from '../lib/server.js';

const suite = suiteServer({ program: exampleCommand('namespaces') });

let projects = 0;

/** How often the lobby was told so of a namespace; it hears of those of earlier tests, too. */
const heard = (lobby, event, nsp) => lobby.received(event).filter(([name]) => name === nsp).length;

overTransports(suite, 'a room knows its parameters, and the lobby hears of it', async ({ connect }) => {
  const project = ++projects;
  const nsp = `/project/${project}/room/garden hall`;
  const lobby = await connect();
  const a = await lobby.open(nsp).connected();
  // It was told before the room let anybody in.
  assert.equal(heard(lobby, 'there is', nsp), 1);
  assert.deepEqual(await a.event('welcome'), [{ project, room: 'garden hall' }]);
  const b = await connect({ nsp });
  const elsewhere = await b.open(`/project/${project}/room/cellar`).connected();
  assert.deepEqual(await a.ask('say', 'hello'), [2]);
  for (const client of [a, b]) assert.deepEqual(await client.event('said'), ['hello']);
  a.socket.disconnect();
  await lobby.ask('announce', 'a round trip');
  assert.equal(heard(lobby, 'gone is', nsp), 0);
  b.socket.disconnect();
  await eventually(() => heard(lobby, 'gone is', nsp) === 1, 'end of the room');
  assert.equal(heard(lobby, 'there is', nsp), 1);
  assert.deepEqual(elsewhere.received('said'), []);
});

overTransports(suite, 'an announcement reaches the rooms of all projects and nobody else', async ({ connect }) => {
  const lobby = await connect();
  const rooms = await Promise.all([1, 2, 3].map(() => connect({ nsp: `/project/${++projects}/room/a` })));
  const twice = await rooms[0].open(`/project/${projects}/room/b`).connected();
  const text = `lunch ${projects}`;
  const [reached] = await lobby.ask('announce', text);
  assert.ok(reached >= 4, `${reached} sockets`);
  for (const client of [...rooms, twice]) assert.deepEqual(await client.event('announcement'), [text]);
  assert.deepEqual(lobby.received('announcement'), []);
});

overTransports(suite, 'names that belong to no family, or say what makes no sense, are refused', async ({ connect }) => {
  const lobby = await connect();
  for (const [nsp, message] of [
    ['/project/0/room/a', 'no such project'],
    ['/project/1/room/', 'Invalid namespace'],
    ['/project/1/room/a/b', 'Invalid namespace'],
    ['/project/1', 'Invalid namespace'],
    ['/Project/1/room/a', 'Invalid namespace'],
    ['/document/none', 'Invalid namespace'],
  ]) {
    assert.equal((await lobby.open(nsp).refused()).message, message, nsp);
  }
  assert.match((await lobby.open('/project/x/room/a').refused()).message, /project.*"x"/);
});

overTransports(suite, 'a document is there once it was created, for those who have the key', async ({ t, transport, connect }) => {
  const name = `plan-${transport}`;
  const nsp = `/document/${name}`;
  const lobby = await connect();
  assert.equal((await lobby.open(nsp).refused()).message, 'Invalid namespace');
  await lobby.ask('create', name, 'secret');
  for (const auth of [undefined, { key: 'wrong' }]) {
    const refused = await createClient(t, suite.url, { transport, nsp, auth }).refused();
    assert.equal(refused.message, 'wrong key');
  }
  const clients = await Promise.all(Array.from({ length: 5 }, () => connect({ nsp, auth: { key: 'secret' } })));
  for (const client of clients) assert.deepEqual(await client.ask('read'), [`the text of ${nsp}`]);
  for (const client of clients) client.socket.disconnect();
  // Those who were refused may have made the namespace, too.
  await eventually(() => heard(lobby, 'gone is', nsp) === heard(lobby, 'there is', nsp), 'end of the namespace');
  assert.ok(heard(lobby, 'gone is', nsp) > 0);
});
