// The example `rooms`: rooms that are opened, talked in, voted in and closed.

import assert from 'node:assert/strict';
import { createClient } from '../lib/client.js';
import { overTransports, scenario, suiteServer } from '../lib/harness.js';
import { exampleCommand } from '../lib/server.js';

const suite = suiteServer({ program: exampleCommand('rooms') });
let rooms = 0;

/** People, and a room that is theirs. */
async function people(connect, ...names) {
  const clients = await Promise.all(names.map((name) => connect({ auth: { name } })));
  return [`garden ${++rooms}`, ...clients];
}

scenario('who has no name is refused', async (t) => {
  const refused = await createClient(t, suite.url, { auth: {} }).refused();
  assert.ok(refused.message);
});

overTransports(suite, 'a room is opened by the first and closed behind the last', async ({ connect }) => {
  const [room, ann, ben, eve] = await people(connect, 'Ann', 'Ben', 'Eve');
  assert.deepEqual(await ann.ask('enter', room), [['Ann']]);
  assert.deepEqual(await ben.ask('enter', room), [['Ann', 'Ben']]);
  assert.deepEqual(await eve.event('opened'), [room]);
  const [all] = await eve.ask('rooms');
  assert.equal(all[room], 2);
  assert.deepEqual(await ann.ask('leave', room), [['Ben']]);
  assert.deepEqual(eve.received('closed'), []);
  ben.socket.disconnect();
  assert.deepEqual(await eve.event('closed'), [room]);
  assert.deepEqual(await eve.ask('leave', room), [[]]);
  assert.deepEqual(eve.received('opened'), []);
});

overTransports(suite, 'people in a room hear each other', async ({ connect }) => {
  const [room, ann, ben, eve] = await people(connect, 'Ann', 'Ben', 'Eve');
  for (const client of [ann, ben]) await client.ask('enter', room);
  ben.emit('say', room, 'пойду 🦀');
  assert.deepEqual(await ann.event('said'), [room, 'Ben', 'пойду 🦀']);
  for (const client of [ben, eve]) {
    await client.ask('rooms');
    assert.deepEqual(client.received('said'), []);
  }
});

overTransports(suite, 'a room votes, and is closed', async ({ connect }) => {
  const [room, ann, ben, eve, sid] = await people(connect, 'Ann', 'Ben', 'Eve', 'Sid');
  for (const client of [ann, ben, eve]) await client.ask('enter', room);
  ben.socket.on('vote', (question, answer) => answer(question === 'Shall we go?'));
  eve.socket.on('vote', (question, answer) => answer(false));
  sid.socket.on('vote', () => assert.fail('was not asked'));
  assert.deepEqual(await ann.ask('vote', room, 'Shall we go?'), [{ yes: 1, no: 1, silent: 0 }]);
  await sid.ask('enter', room);
  sid.socket.off('vote');
  assert.deepEqual(await ann.ask('vote', room, 'Shall we stay?'), [{ yes: 0, no: 2, silent: 1 }]);
  sid.emit('close', room);
  // Rooms of the tests before may be closed only now, too.
  for (let closed; closed !== room; ) [closed] = await ann.event('closed');
  assert.deepEqual(await ann.ask('vote', room, 'Anybody?'), [{ yes: 0, no: 0, silent: 0 }]);
});
