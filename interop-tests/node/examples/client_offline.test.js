// The example `client_offline`: orders that are kept on disk, and news that are caught up with, while the program is killed again and again.
//
// What is tested is our client, so there is no counterpart of it for EXAMPLES=reference. The server is the official one, in this process, but for the last test.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Server } from 'socket.io';
import { eventually, pause, within } from '../lib/deadline.js';
import { overTransports, scenario, suiteServer } from '../lib/harness.js';
import { exampleCommand, freePort } from '../lib/server.js';

/** Random, and the same again for the seed that a failed test shows. */
function dice(t) {
  let state = Number(process.env.SEED ?? Date.now() % 1_000_000);
  t.diagnostic(`SEED=${state}`);
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function folder(t) {
  const path = mkdtempSync(join(tmpdir(), 'client-offline-'));
  t.after(() => rmSync(path, { recursive: true }));
  return path;
}

/** One run of the program. */
class Program {
  /** `limit`: bytes that a file may have; beyond it writing is an error, as on a disk that is full. */
  constructor(t, url, journal, { limit } = {}) {
    const [program] = exampleCommand('client_offline');
    const limited = `trap '' XFSZ; exec prlimit --fsize=${limit} "$0" "$@"`;
    this.child = limit ? spawn('sh', ['-c', limited, program, url, journal], { stdio: 'pipe' }) : spawn(program, [url, journal], { stdio: 'pipe' });
    t.after(() => this.child.kill('SIGKILL'));
    // It may be killed before it has read everything.
    this.child.stdin.on('error', () => {});
    this.text = '';
    this.errors = '';
    this.child.stdout.setEncoding('utf8').on('data', (text) => (this.text += text));
    this.child.stderr.setEncoding('utf8').on('data', (text) => (this.errors += text));
    this.closed = new Promise((resolve) => {
      this.child.once('error', (error) => resolve(error.message));
      this.child.once('close', (code, signal) => resolve(signal ?? code));
    });
  }

  /** What it has said that begins with that word; a line that it was killed in does not count. */
  said(word) {
    const lines = this.text.split('\n').slice(0, -1);
    return lines.filter((line) => line.startsWith(`${word} `)).map((line) => line.slice(word.length + 1));
  }

  order(key, text) {
    this.child.stdin.write(`${key}: ${text}\n`);
  }

  async kill() {
    this.child.kill('SIGKILL');
    assert.equal(await within(this.closed, 'end of the program'), 'SIGKILL', this.errors);
  }

  async end() {
    this.child.stdin.end();
    const code = await within(this.closed, 'end of the program', 60_000).catch((error) => {
      throw new Error(`${error.message}\n${this.text}${this.errors}`);
    });
    assert.equal(code, 0, this.errors);
  }
}

/** The official server, which may be stopped and started again. */
class Official {
  constructor(port, options, connected) {
    Object.assign(this, { port, options, connected });
  }

  async start() {
    this.http = createServer();
    this.io = new Server(this.http, this.options);
    this.io.on('connection', this.connected);
    await new Promise((resolve) => this.http.listen(this.port, '127.0.0.1', resolve));
  }

  async stop() {
    await this.io?.close();
    this.io = null;
  }
}

async function official(t, options, connected) {
  const server = new Official(await freePort(), options, connected);
  t.after(() => server.stop());
  return server;
}

scenario('no order is lost or doubled while program, server and connections are killed', async (t) => {
  const roll = dice(t);
  const journal = join(folder(t), 'journal');
  // By key: what the server has taken, in the order in which it came first.
  const taken = new Map();
  let again = 0;
  // Each costs about a second until the program is back, so their number bounds how long the test takes.
  let losses = 25;
  const server = await official(t, {}, (socket) => {
    socket.on('order', (text, key, ack) => {
      if (taken.has(key)) {
        again++;
        assert.equal(taken.get(key), text);
      }
      taken.set(key, taken.get(key) ?? text);
      // Sometimes the acknowledgement is lost.
      if (losses > 0 && roll(10) === 0) {
        losses -= 1;
        socket.conn.close();
      } else ack(`receipt ${key}`);
    });
  });
  const url = `http://127.0.0.1:${server.port}`;
  const texts = new Map();
  let unconfirmed = [];
  const feed = (program) => {
    for (const key of unconfirmed) program.order(key, texts.get(key));
  };
  for (let run = 0; run < 25; run++) {
    // Offline at first, and sometimes later.
    const isOnline = run > 4 && roll(4) > 0;
    if (isOnline && !server.io) await server.start();
    else if (!isOnline) await server.stop();
    const program = new Program(t, url, journal);
    for (let n = 0; n < 8; n++) {
      const key = `key-${String(texts.size).padStart(4, '0')}`;
      texts.set(key, `text ${roll(1000)} for ${key}`);
      unconfirmed.push(key);
    }
    feed(program);
    // Some runs do not even begin, others get far.
    if (roll(3) > 0) await eventually(() => program.said('kept').length > roll(8), 'something kept');
    await pause(roll(120));
    await program.kill();
    const kept = new Set(program.said('kept'));
    unconfirmed = unconfirmed.filter((key) => !kept.has(key));
  }
  if (!server.io) await server.start();
  const last = new Program(t, url, journal);
  feed(last);
  await last.end();
  assert.equal(last.text.trimEnd().split('\n').at(-1), '0 orders wait');
  assert.deepEqual([...taken], [...texts]);
  t.diagnostic(`${texts.size} orders, ${again} of them came more than once`);
});

scenario('a program that was killed while it was offline says how many orders wait, and delivers them', async (t) => {
  const journal = join(folder(t), 'journal');
  const [texts, keys] = [[], []];
  const server = await official(t, {}, (socket) => {
    socket.on('order', (text, key, ack) => {
      texts.push(text);
      keys.push(key);
      ack(text.toUpperCase());
    });
  });
  const url = `http://127.0.0.1:${server.port}`;
  const first = new Program(t, url, journal);
  first.child.stdin.write('tea\nbiscuits\n');
  await eventually(() => first.said('kept').length === 2, 'two orders kept');
  await first.kill();
  const second = new Program(t, url, journal);
  await eventually(() => second.text.startsWith('2 orders wait\n'), 'two orders that wait');
  await server.start();
  await second.end();
  assert.deepEqual(texts, ['tea', 'biscuits']);
  // What is kept together is said in any order.
  assert.deepEqual(keys.toSorted(), first.said('kept').sort());
  for (const key of keys) assert.match(key, /^[0-9a-f]{32}$/);
});

scenario('two programs do not share a journal', async (t) => {
  const journal = join(folder(t), 'journal');
  const url = `http://127.0.0.1:${await freePort()}`;
  const first = new Program(t, url, journal);
  await eventually(() => first.text.startsWith('0 orders wait'), 'the first program');
  const second = new Program(t, url, journal);
  assert.equal(await within(second.closed, 'end of the second program'), 1);
  assert.match(second.errors, /in use/);
});

/** A small disk of its own, which may take the rights of an administrator; `false` without them. */
function smallDisk(t) {
  const path = mkdtempSync(join(tmpdir(), 'client-offline-disk-'));
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'none', path]);
  t.after(() => {
    spawnSync('umount', ['-l', path]);
    rmSync(path, { recursive: true });
  });
  return status === 0 && path;
}

/** Where there is no more room at some time, and how there is some again. */
const FULL = {
  'a limit for files': (t) => ({ journal: join(folder(t), 'journal'), options: { limit: 4 << 20 }, relief: {} }),
  'a small disk': (t) => {
    const path = smallDisk(t);
    if (!path) return null;
    const ballast = join(path, 'ballast');
    writeFileSync(ballast, Buffer.alloc(1 << 20));
    return { journal: join(path, 'journal'), options: {}, relief: { free: () => rmSync(ballast) } };
  },
};

for (const [what, prepare] of Object.entries(FULL)) {
  scenario(`a disk that is full is told, and nothing that was kept is lost: ${what}`, async (t) => {
    const place = prepare(t);
    if (!place) return t.diagnostic('nothing can be mounted here; the other way has tested the same');
    const { journal, options, relief } = place;
    const taken = new Map();
    const server = await official(t, { maxHttpBufferSize: 1e7 }, (socket) => {
      socket.on('order', (text, key, ack) => {
        taken.set(key, text);
        ack('thanks');
      });
    });
    const url = `http://127.0.0.1:${server.port}`;
    const text = (n) => `${n} `.repeat(20_000);
    const first = new Program(t, url, journal, options);
    const refused = () => first.errors.match(/^not kept: .*/gm)?.map((line) => line.slice(-60)) ?? [];
    let n = 0;
    while (refused().length < 3) {
      assert.ok(n < 500, 'the disk is never full');
      const known = () => first.said('kept').length + refused().length;
      const before = known();
      first.order(`key-${n}`, text(n));
      n += 1;
      await eventually(() => known() > before, `an answer to order ${n}\n${first.errors.slice(-300)}`);
    }
    for (const line of refused()) assert.match(line, /: there is no room on the disk$/);
    const kept = first.said('kept');
    assert.ok(kept.length > 5, `${kept.length} kept`);
    // The program lives, and once there is room it keeps orders again.
    relief.free?.();
    if (relief.free) {
      first.order('after the relief', 'tea');
      await eventually(() => first.said('kept').includes('after the relief'), 'an order that is kept again');
      kept.push('after the relief');
    }
    await first.kill();
    const second = new Program(t, url, journal);
    await eventually(() => second.text.includes('orders wait\n'), 'the second program');
    assert.ok(second.text.startsWith(`${kept.length} orders wait`), second.text);
    await server.start();
    await second.end();
    assert.deepEqual([...taken.keys()], kept);
    for (const [key, order] of taken) assert.equal(order, key.startsWith('key-') ? text(key.slice(4)) : 'tea');
  });
}

/** Every number is shown; one that was shown shortly before the program was killed may be shown again. */
function checkNews(runs) {
  let last = 0;
  for (const numbers of runs.filter((numbers) => numbers.length > 0)) {
    assert.ok(numbers[0] <= last + 1, `${numbers[0]} after ${last}`);
    assert.deepEqual(numbers, numbers.map((_, index) => numbers[0] + index));
    last = Math.max(last, numbers.at(-1));
  }
  return last;
}

for (const [name, options] of [
  ['a history of its own', {}],
  ['connection state recovery', { connectionStateRecovery: {} }],
]) {
  scenario(`no news is missed by a program that is killed, of a server with ${name}`, async (t) => {
    const roll = dice(t);
    const journal = join(folder(t), 'journal');
    const recovers = 'connectionStateRecovery' in options;
    const history = [];
    let recovered = 0;
    const server = await official(t, options, (socket) => {
      if (socket.recovered) recovered++;
      else if (!recovers) for (const news of history.slice(socket.handshake.auth.seen ?? 0)) socket.emit('news', ...news);
      socket.join('readers');
      socket.on('order', (text, key, ack) => ack(text));
    });
    await server.start();
    const publish = () => {
      history.push([history.length + 1, `text ${history.length + 1}`]);
      server.io.to('readers').emit('news', ...history.at(-1));
    };
    const runs = [];
    const numbers = (program) => program.said('news').map((line) => Number(line.split(':')[0]));
    for (let run = 0; run < 12; run++) {
      const program = new Program(t, `http://127.0.0.1:${server.port}`, journal);
      await eventually(() => /^connected/m.test(program.text), 'a connection');
      // The first run has to see something, since nothing is recovered for who has seen nothing.
      const before = history.length;
      const most = 5 + roll(15);
      for (let n = 0; n < most; n++) {
        publish();
        await pause(roll(20));
      }
      await eventually(() => numbers(program).at(-1) > before, 'some of the news');
      if (run === 0) {
        await eventually(() => numbers(program).at(-1) === history.length, 'all of the news');
        // What is noted is written with what is kept afterwards. The first one may have overtaken the note of the last news.
        for (const key of ['first', 'second']) {
          program.order(key, 'tea');
          await eventually(() => program.said('kept').includes(key), 'an order that is kept');
        }
      }
      await program.kill();
      runs.push(numbers(program));
      // Once the server has noticed, the next ones are missed.
      await eventually(() => server.io.of('/').sockets.size === 0, 'the end of the connection');
      for (let n = roll(5); n > 0; n--) publish();
    }
    const program = new Program(t, `http://127.0.0.1:${server.port}`, journal);
    publish();
    await eventually(() => numbers(program).at(-1) === history.length, 'all news');
    runs.push(numbers(program));
    assert.equal(checkNews(runs), history.length);
    // What the first run has shown was noted, so nobody shows it again.
    for (const later of runs.slice(1)) assert.ok(later[0] > runs[0].at(-1));
    if (recovers) assert.equal(recovered, 12);
    const twice = runs.flat().length - history.length;
    t.diagnostic(`${history.length} news, ${twice} of them shown twice`);
  });
}

const suite = suiteServer({ program: [...exampleCommand('client_offline'), 'server'] });

overTransports(suite, 'its server takes each key once, and tells news from where a client has stopped', async ({ connect, transport }) => {
  const client = await connect();
  const key = `${transport} ${Date.now()}`;
  const [receipt] = await client.ask('order', `tea over ${transport}`, key);
  assert.match(receipt, /^order \d+$/);
  assert.deepEqual(await client.ask('order', 'tea again', key), [receipt]);
  const number = Number(receipt.slice('order '.length));
  await eventually(() => client.received('news').at(-1)?.[0] === number, 'news of the order');
  const [second] = await client.ask('order', 'more tea', `${key} 2`);
  assert.equal(second, `order ${number + 1}`);
  const late = await connect({ auth: { seen: number } });
  assert.deepEqual(await late.event('news'), [number + 1, 'more tea']);
});
