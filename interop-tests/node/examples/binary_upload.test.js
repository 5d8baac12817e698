// The example `binary_upload`: files in chunks, acknowledged one by one.

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after } from 'node:test';
import { eventually } from '../lib/deadline.js';
import { overTransports, scenario, suiteServer } from '../lib/harness.js';
import { connectClient } from '../lib/client.js';
import { exampleCommand } from '../lib/server.js';
import { upload } from '../lib/upload.js';

const folder = mkdtempSync(join(tmpdir(), 'uploads-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const suite = suiteServer({ program: exampleCommand('binary_upload'), env: { UPLOADS: folder } });

const CHUNK = 64 * 1024;
const sha256 = (data) => createHash('sha256').update(data).digest('hex');
const isGone = (id) => eventually(() => !readdirSync(folder).some((file) => file.startsWith(id)), 'deletion of the file');

overTransports(suite, 'a file arrives unchanged, and its progress is told', async ({ connect }) => {
  const client = await connect();
  for (const size of [3_000_000, 10 * CHUNK, CHUNK - 1, 1, 0]) {
    const data = randomBytes(size);
    const path = await upload(client.socket, `../a b/${size}.bin`, data);
    assert.equal(basename(path), `${client.id}-..ab${size}.bin`);
    assert.deepStrictEqual(readFileSync(path), data);
    const progress = client.received('progress').map(([told]) => told);
    client.inbox.length = 0;
    const steps = new Set();
    for (let sent = CHUNK; sent < size + CHUNK; sent += CHUNK) steps.add(Math.floor((Math.min(sent, size) * 10) / size));
    steps.delete(0);
    assert.deepEqual(progress.map(({ received }) => Math.floor((received * 10) / size)), size ? [...steps] : []);
    assert.ok(progress.every((told) => told.size === size));
  }
});

overTransports(suite, 'clients send at the same time', async ({ connect }) => {
  const clients = await Promise.all([connect(), connect(), connect()]);
  const files = clients.map(() => randomBytes(1_000_000));
  const paths = await Promise.all(clients.map((client, i) => upload(client.socket, 'same.bin', files[i])));
  paths.forEach((path, i) => assert.ok(readFileSync(path).equals(files[i])));
});

overTransports(suite, 'a client that does not wait for acknowledgements is slowed down and loses nothing', async ({ connect }) => {
  const client = await connect();
  const data = randomBytes(40 * CHUNK);
  await client.ask('start', { name: 'flood', size: data.length });
  const answers = [];
  for (let start = 0; start < data.length; start += CHUNK) answers.push(client.ask('chunk', data.subarray(start, start + CHUNK)));
  assert.deepEqual((await Promise.all(answers)).flat(), answers.map((_, i) => (i + 1) * CHUNK));
  const [path] = await client.ask('finish', sha256(data));
  assert.ok(readFileSync(path).equals(data));
});

scenario('what does not fit is refused and its file deleted', async (t) => {
  const client = await connectClient(t, suite.url);
  const refused = async (event, data, message) => {
    const [answer] = await client.ask(event, data);
    assert.match(answer.message, message, event);
  };
  await refused('chunk', Buffer.alloc(1), /no file was begun/);
  await refused('finish', '', /no file was begun/);
  await refused('start', { name: 'x', size: 2 ** 40 }, /too large/);
  await refused('start', { name: 'x' }, /size/);

  await client.ask('start', { name: 'long', size: 10 });
  assert.equal(readdirSync(folder).filter((file) => file.startsWith(client.id)).length, 1);
  await refused('chunk', Buffer.alloc(11), /more than was announced/);
  await isGone(client.id);

  await client.ask('start', { name: 'large', size: 10 * CHUNK });
  await refused('chunk', Buffer.alloc(CHUNK + 1), /more than was announced/);
  await isGone(client.id);

  await client.ask('start', { name: 'short', size: 10 });
  assert.deepEqual(await client.ask('chunk', Buffer.alloc(9)), [9]);
  await refused('finish', sha256(Buffer.alloc(9)), /incomplete: 9 < 10 bytes/);
  await isGone(client.id);

  await client.ask('start', { name: 'broken', size: 10 });
  await client.ask('chunk', Buffer.alloc(10));
  await refused('finish', sha256(Buffer.alloc(9)), /checksum/);
  await isGone(client.id);
});

scenario('the file of a client that goes is deleted', async (t) => {
  const client = await connectClient(t, suite.url);
  await client.ask('start', { name: 'half', size: 2 * CHUNK });
  await client.ask('chunk', Buffer.alloc(CHUNK));
  const { id } = client;
  assert.equal(readdirSync(folder).filter((file) => file.startsWith(id)).length, 1);
  client.socket.disconnect();
  await isGone(id);
});
