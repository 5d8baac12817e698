// The example `chat_terminal`, a client, with the example `chat`, ours and the official one.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { connectClient } from '../lib/client.js';
import { scenario } from '../lib/harness.js';
import { serversOf, startClient } from '../lib/program.js';
import { freePort, startServer } from '../lib/server.js';

const noTerminal = !existsSync('/usr/bin/script') && 'a terminal needs `script` of util-linux';

for (const [which, program] of serversOf('chat')) {
  const start = async (t) => {
    const server = await startServer({ program });
    t.after(() => server.stop());
    return server;
  };
  const enter = async (t, server, name) => {
    const client = startClient(t, 'chat_terminal', [name, server.url]);
    await client.shows(`^\\* here: .*${name}`);
    return client;
  };

  scenario(`people talk, come and go (${which})`, async (t) => {
    const server = await start(t);
    const ann = await enter(t, server, 'Ann');
    assert.match(ann.text, new RegExp(`^\\* connected to ${server.url}$`, 'm'));
    const ben = await enter(t, server, 'Ben');
    await ann.shows(/^\* Ben has come$/);
    ann.write('hello, Ben\n\n  \nпойду 🦀\n');
    ben.write('hello, Ann\n/who\n');
    await ben.shows(/^\* here: Ann, Ben$/, 2);
    for (const client of [ann, ben]) {
      await client.shows(/^Ben: hello, Ann$/);
      await client.shows(/^Ann: hello, Ben$/);
      await client.shows(/^Ann: пойду 🦀$/);
    }
    // Whoever comes later reads what was said.
    const cleo = await enter(t, server, 'Cleo');
    await cleo.shows(/^Ann: пойду 🦀$/);
    ben.end();
    assert.equal(await ben.ended(), 0, ben.stderr);
    assert.match(ben.text, /\* bye\n$/);
    await ann.shows(/^\* Ben has gone$/);
    ann.child.kill('SIGINT');
    assert.equal(await ann.ended(), 0, ann.stderr);
    await cleo.shows(/^\* Ann has gone$/);
    cleo.child.kill('SIGTERM');
    assert.equal(await cleo.ended(), 0, cleo.stderr);
  });

  scenario(`a pipe is sent to its end before the program ends (${which})`, async (t) => {
    const server = await start(t);
    const ann = await enter(t, server, 'Ann');
    const robot = startClient(t, 'chat_terminal', [server.url, 'Robot']);
    const lines = Array.from({ length: 60 }, (_, i) => `line ${i}`);
    robot.end(lines.join('\n'));
    assert.equal(await robot.ended(), 0, robot.stderr);
    await ann.shows(/^\* Robot has gone$/);
    assert.deepEqual(ann.lines.filter((line) => line.startsWith('Robot: ')), lines.map((line) => `Robot: ${line}`));
  });

  scenario(`a name that is taken is asked for again (${which})`, async (t) => {
    const server = await start(t);
    await enter(t, server, 'Ann');
    const second = startClient(t, 'chat_terminal', [server.url]);
    await second.shows(/^\* what is your name\?$/);
    second.write('Ann\n');
    await second.shows(/^\* what is your name\?$/, 2);
    second.write('Ben\n');
    await second.shows(/^\* here: Ann, Ben$/);
    // Without anybody to ask it is an error.
    const third = startClient(t, 'chat_terminal', ['Ann', server.url]);
    third.end('hello\n');
    assert.equal(await third.ended(), 1);
    assert.match(third.stderr, /taken|already/);
  });

  scenario(`it is told who types, and names and texts cannot steer a terminal (${which})`, async (t) => {
    const server = await start(t);
    const ann = await enter(t, server, 'Ann');
    const page = await connectClient(t, server.url);
    await page.ask('join', 'B\u001b[31men');
    page.emit('typing', true);
    await ann.shows(/^\* B \[31men is typing$/);
    await page.ask('message', 'a\u001b[2Jb\nAnn: lies\r\u202ec');
    await ann.shows(/^B \[31men: a \[2Jb Ann: lies c$/);
    assert.ok(!ann.stdout.includes('\u001b'));
  });

  scenario(`it waits for the server, and comes back when that was restarted (${which})`, async (t) => {
    const port = await freePort();
    const ann = startClient(t, 'chat_terminal', ['Ann', `http://127.0.0.1:${port}`]);
    await ann.shows(/cannot be reached \(.*refused.*cargo run --release --example chat/);
    ann.write('early\n');
    const server = await startServer({ program, port });
    t.after(() => server.stop());
    await ann.shows(/^Ann: early$/);
    const ben = await enter(t, server, 'Ben');
    await ben.shows(/^Ann: early$/);
    await server.kill();
    for (const client of [ann, ben]) await client.shows(/^\* connection lost \(transport (close|error)\), connecting again$/);
    ann.write('meanwhile\nand more\n');
    await server.restart();
    for (const client of [ann, ben]) {
      await client.shows(/^\* connected again$/);
      await client.shows(/^Ann: and more$/);
    }
    ben.write('I am back, too\n');
    await ann.shows(/^Ben: I am back, too$/);
    // Nothing is shown twice, although the history comes with each connection.
    for (const client of [ann, ben]) {
      const said = client.lines.filter((line) => line.startsWith('Ann: '));
      assert.deepEqual(said, ['Ann: early', 'Ann: meanwhile', 'Ann: and more']);
    }
  });
}

scenario('what could not be sent is told at the end', async (t) => {
  const port = await freePort();
  const ann = startClient(t, 'chat_terminal', ['Ann', `http://127.0.0.1:${port}`]);
  ann.write('one\ntwo\n');
  await ann.shows(/cannot be reached/);
  ann.child.kill('SIGINT');
  assert.equal(await ann.ended(), 1);
  assert.match(ann.stderr, /messages that were not sent: 2/);
});

scenario('what is wrong with the arguments is said', async (t) => {
  for (const [args, message] of [
    [['Ann', 'Ben'], /usage/],
    [['--help'], /usage/],
    [['ftp://localhost'], /scheme/],
  ]) {
    const client = startClient(t, 'chat_terminal', args);
    assert.equal(await client.ended(), 1);
    assert.match(client.stderr, message);
  }
});

scenario('on a terminal there is a line to write and a line for the state of things', { skip: noTerminal }, async (t) => {
  const [[, program]] = serversOf('chat');
  const server = await startServer({ program });
  t.after(() => server.stop());
  const ann = startClient(t, 'chat_terminal', ['Ann', server.url], { terminal: { columns: 50, rows: 12 } });
  await ann.shows(/^1 here, websocket\nAnn> $/);
  const page = await connectClient(t, server.url);
  await page.ask('join', 'Ben');
  page.emit('typing', true);
  await ann.shows(/^2 here, websocket \| typing: Ben$/);
  // The line is edited as in a shell; others are told that it is.
  ann.write('helo');
  assert.deepEqual(await page.event('typing'), [{ from: 'Ann', typing: true }]);
  ann.write('\x1b[Dl\x05 worlds\x7f!\r');
  await ann.shows(/^Ann: hello world!$/);
  assert.deepEqual(await page.event('typing'), [{ from: 'Ann', typing: false }]);
  assert.equal((await page.event('message'))[0].text, 'hello world!');
  // A line that is longer than the terminal stays one line: its end is shown.
  const long = 'x'.repeat(70);
  ann.write(`${long}END`);
  await ann.shows(/^Ann> x{40}END$/);
  ann.write('\x15');
  await ann.shows(/^Ann> $/);
  await server.kill();
  await ann.shows(/^connecting, attempt 1$/);
  ann.write('later\r');
  await ann.shows(/waiting to be sent: 1$/);
  await server.restart();
  await ann.shows(/^Ann: later$/);
  // Ctrl-D ends it only where nothing is written; the terminal is as it was.
  ann.write('x\x04\x7f\x04');
  assert.equal(await ann.ended(), 0);
  assert.match(ann.text, /\* bye\n/);
  assert.match(ann.text, /\bicanon\b.* echo /s);
});

scenario('Ctrl-C ends it on a terminal, whatever is written', { skip: noTerminal }, async (t) => {
  const [[, program]] = serversOf('chat');
  const server = await startServer({ program });
  t.after(() => server.stop());
  const page = await connectClient(t, server.url);
  await page.ask('join', 'Ben');
  const ann = startClient(t, 'chat_terminal', [server.url], { terminal: { columns: 50, rows: 12 } });
  await ann.shows(/your name> $/);
  ann.write('Ann\r');
  await page.event('user joined');
  ann.write('half a li\x03');
  assert.equal(await ann.ended(), 0);
  assert.deepEqual((await page.event('user left'))[0].name, 'Ann');
  assert.match(ann.text, /\bicanon\b.* echo /s);
});
