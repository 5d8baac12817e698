// The example `client_streams`, a client, with the example `chat`, ours and the official one.

import assert from 'node:assert/strict';
import { connectClient } from '../lib/client.js';
import { scenario } from '../lib/harness.js';
import { serversOf, startClient } from '../lib/program.js';
import { freePort, startServer } from '../lib/server.js';

async function person(t, server, name) {
  const client = await connectClient(t, server.url);
  await client.ask('join', name);
  client.say = (text) => client.ask('message', text);
  /** What the robot says next. */
  client.hears = async () => {
    for (;;) {
      const [{ from, text }] = await client.event('message');
      if (from === 'Robot') return text;
    }
  };
  return client;
}

for (const [which, program] of serversOf('chat')) {
  scenario(`the robot greets, answers and counts (${which})`, async (t) => {
    const server = await startServer({ program });
    t.after(() => server.stop());
    const early = await person(t, server, 'Early');
    await early.say('one to read');
    const robot = startClient(t, 'client_streams', [server.url]);
    await robot.shows(/^in, with 1 others and 1 messages to read$/);
    const ann = await person(t, server, 'Ann');
    assert.equal(await ann.hears(), 'Welcome, Ann!');
    await robot.shows(/^said as number 2: Welcome, Ann!$/);
    await robot.shows(/^here: 3$/);
    await ann.say('!who');
    assert.equal(await ann.hears(), 'You are Ann, and I am Robot.');
    await ann.say('nothing for robots');
    await ann.say('!count');
    // The greeting, the question, its answer, the remark, and this question.
    assert.equal(await ann.hears(), 'I have seen 5 messages.');
    ann.socket.disconnect();
    await robot.shows(/^here: 2$/);
    robot.child.kill('SIGINT');
    assert.equal(await robot.ended(), 0, robot.stderr);
    assert.match(robot.text, /^bye\n$/m);
    assert.deepEqual(await early.event('user left'), [{ name: 'Ann', users: ['Early', 'Robot'] }]);
    assert.deepEqual(await early.event('user left'), [{ name: 'Robot', users: ['Early'] }]);
  });

  scenario(`many arrivals are all greeted, though four at a time (${which})`, async (t) => {
    const server = await startServer({ program });
    t.after(() => server.stop());
    const robot = startClient(t, 'client_streams', [server.url]);
    await robot.shows(/^in, with 0 others/);
    const names = Array.from({ length: 20 }, (_, i) => `guest ${i}`);
    await Promise.all(names.map((name) => person(t, server, name)));
    const greeted = await robot.shows(/^said as number \d+: Welcome, (guest \d+)!$/, 20);
    assert.deepEqual(greeted.map(([, name]) => name).sort(), [...names].sort());
  });

  scenario(`it waits for the server, and comes back when that was restarted (${which})`, async (t) => {
    const port = await freePort();
    const robot = startClient(t, 'client_streams', [`http://127.0.0.1:${port}`]);
    await robot.shows(/refused.*; is the server there\? `cargo run --release --example chat`$/);
    const server = await startServer({ program, port });
    t.after(() => server.stop());
    await robot.shows(/^in, /);
    await server.kill();
    await robot.shows(/^connection lost: transport (close|error)$/);
    await server.restart();
    await robot.shows(/^in, /, 2);
    const ann = await person(t, server, 'Ann');
    assert.equal(await ann.hears(), 'Welcome, Ann!');
  });

  scenario(`a name that is taken is told (${which})`, async (t) => {
    const server = await startServer({ program });
    t.after(() => server.stop());
    await person(t, server, 'Marvin');
    const robot = startClient(t, 'client_streams', [server.url, 'Marvin']);
    await robot.shows(/^not let in: .*(taken|already)/);
  });
}
