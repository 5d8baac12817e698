// The example `latency`, a client, with the example `echo` and with an official server.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import { Server } from 'socket.io';
import { once } from '../lib/deadline.js';
import { scenario } from '../lib/harness.js';
import { startClient } from '../lib/program.js';
import { exampleCommand, freePort, startServer } from '../lib/server.js';

const noTerminal = !existsSync('/usr/bin/script') && 'a terminal needs `script` of util-linux';
const TIME = /^\d+\.\d{3} ms, (polling|websocket)$/;

async function echo(t, port) {
  const server = await startServer({ program: exampleCommand('echo'), port });
  t.after(() => server.stop());
  return server;
}

/** An official server that acknowledges `question` in the namespace `/lab` after so long, but each fifth one not at all. */
async function official(t, delay) {
  const http = createServer().listen(0, '127.0.0.1');
  await once(http, 'listening');
  const io = new Server(http);
  let asked = 0;
  io.of('/lab').on('connection', (socket) => {
    socket.on('question', (ack) => ++asked % 5 && setTimeout(ack, delay));
  });
  t.after(() => io.close());
  return { io, url: `http://127.0.0.1:${http.address().port}/lab` };
}

scenario('without a terminal there is a line for each answer, and a summary', async (t) => {
  const server = await echo(t);
  const client = startClient(t, 'latency', [server.url, '--every', '5', '--count', '50']);
  assert.equal(await client.ended(), 0, client.stderr);
  const [first, ...lines] = client.lines;
  assert.equal(first, `${server.url}: connected`);
  const summary = lines.pop();
  assert.equal(lines.length, 50);
  for (const line of lines) assert.match(line, TIME);
  const times = lines.map(parseFloat).sort((a, b) => a - b);
  const [, min, average, p95, max] = summary.match(/^min (\S+)  avg (\S+)  p95 (\S+)  max (\S+) ms, 50 answers, 0 lost$/).map(Number);
  const expected = [times[0], times.reduce((sum, time) => sum + time) / 50, times[47], times[49]];
  [min, average, p95, max].forEach((value, i) => assert.ok(Math.abs(value - expected[i]) < 0.01, summary));
});

scenario('an official server is measured, its namespace and its silence too', async (t) => {
  const { io, url } = await official(t, 20);
  const client = startClient(t, 'latency', [url, '--event', 'question', '--every', '1', '--count', '6']);
  assert.equal(await client.ended(), 0, client.stderr);
  const times = client.lines.filter((line) => TIME.test(line)).map(parseFloat);
  assert.equal(times.length, 5);
  assert.ok(times.every((time) => time >= 19), times.join());
  assert.match(client.text, /^lost: no acknowledgement within 5s$/m);
  assert.match(client.text, /5 answers, 1 lost\n$/);
  assert.equal(io.of('/lab').sockets.size, 0);
});

scenario('a server that comes, goes and comes back', async (t) => {
  const port = await freePort();
  const client = startClient(t, 'latency', [`http://127.0.0.1:${port}`, '--every', '10']);
  await client.shows(/refused.*trying again\. Is the server there\? `cargo run --release --example echo`$/);
  const server = await echo(t, port);
  await client.shows(TIME, 3);
  await server.kill();
  await client.shows(/: connection lost \(transport (close|error)\), connecting again$/);
  await client.shows(/: connecting, attempt 1$/, 2);
  const before = client.lines.filter((line) => TIME.test(line)).length;
  await server.restart();
  await client.shows(/: connected$/, 2);
  await client.shows(TIME, before + 3);
  client.child.kill('SIGINT');
  assert.equal(await client.ended(), 0, client.stderr);
  assert.match(client.lines.at(-1), /^min .* answers, \d+ lost$/);
});

scenario('on a terminal there is a chart as wide as that', { skip: noTerminal }, async (t) => {
  const server = await echo(t);
  for (const [columns, rows, height] of [[40, 20, 10], [80, 8, 5]]) {
    const client = startClient(t, 'latency', [server.url, '--every', '2'], { terminal: { columns, rows } });
    await client.shows(/^\d{3} answers, 0 lost \| websocket/);
    // What is typed is not shown; the end leaves the terminal as it was, and the cursor to be seen.
    client.write(columns === 40 ? 'some text\r\x03' : 'q');
    assert.equal(await client.ended(), 0);
    assert.match(client.text, /\bicanon\b.* echo /s);
    assert.doesNotMatch(client.text, /some text|\^C$/m);
    assert.ok(client.stdout.lastIndexOf('\x1b[?25h') > client.stdout.lastIndexOf('\x1b[?25l'));
    const lines = client.lines;
    const head = lines.findIndex((line) => line.includes(' answers, '));
    const chart = lines.slice(head + 1, head + 1 + height);
    const scale = chart.map((line) => line.slice(0, 10));
    assert.match(scale[0], /^ *\d+ (µs|ms) ┤$/);
    assert.match(scale.at(-1), /^ *0 ┤$/);
    for (const line of scale.slice(1, -1)) assert.equal(line, '         │');
    for (const line of chart) {
      assert.equal(line.length, columns - 1);
      assert.match(line.slice(10), /^[ ▁▂▃▄▅▆▇█]*$/);
    }
    // Every answer can be seen, and none is higher than the chart.
    assert.match(chart.at(-1).slice(10), /^[▁▂▃▄▅▆▇█]+$/);
    assert.match(chart.at(-1), /█/);
    assert.match(lines[head + 1 + height], /^ {10}min \d/);
    assert.ok(lines.slice(head, head + height + 2).every((line) => line.length < columns));
  }
});

scenario('questions without an answer are crosses in the chart', { skip: noTerminal }, async (t) => {
  const server = await echo(t);
  // Events that nobody listens for are never answered, so that the question is under way when the server ends.
  const options = [server.url, '--event', 'nobody', '--every', '2', '--count', '2'];
  const client = startClient(t, 'latency', options, { terminal: { columns: 60, rows: 20 } });
  await client.shows(/^0 answers, 0 lost \| connected/);
  await server.kill();
  await client.shows(/^0 answers, 1 lost \|/);
  await client.shows(/^ *0 ┤×$/);
  assert.match(client.stdout, /\x1b\[38;5;9m×|\x1b\[31m×/);
});

scenario('what is wrong with the options is said', async (t) => {
  for (const [args, message] of [
    [['--evry', '5'], /^there is no option --evry\n$/],
    [['--every'], /^--every wants a value\n$/],
    [['--count', 'x'], /invalid digit/],
    [['localhost:3000'], /scheme/],
  ]) {
    const client = startClient(t, 'latency', args);
    assert.equal(await client.ended(), 1);
    assert.match(client.stderr, message);
  }
});
