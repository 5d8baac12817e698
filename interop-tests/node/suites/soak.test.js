// The small form of the long runs of `interop-tests/soak`, so that those work when they are wanted: connections that come and go (through nginx, where it is
// installed), a server that is restarted under all of its clients, and latency beside silent ones. They are our programs, server and client, so the official
// packages have no part in it.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { within } from '../lib/deadline.js';
import { isReference, siblingCommand } from '../lib/server.js';

const hasNginx = spawnSync('nginx', ['-v']).status === 0 ? 1 : 0;

const RUNS = {
  'connections that come and go leave nothing behind': ['churn', 'seconds=12', 'workers=24', `nginx=${hasNginx}`],
  'all clients of a server that was killed are back within a bounded time': ['storm', 'clients=600', 'rounds=1', 'within=90'],
  'silent clients keep nobody from talking': ['chat', 'idle=600', 'chatting=100', 'seconds=3'],
};

for (const [sentence, run] of Object.entries(RUNS)) {
  test(sentence, { skip: isReference && 'the programs are ours' }, async (t) => {
    const [program] = siblingCommand('soak');
    const child = spawn(program, run, { stdio: ['ignore', 'pipe', 'pipe'] });
    t.after(() => child.kill('SIGKILL'));
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (output += text));
    const ended = new Promise((resolve) => child.once('close', (code, signal) => resolve(signal ?? code)));
    const code = await within(ended, `end of ${run}`, 300_000).catch((error) => error.message);
    for (const line of output.trim().split('\n')) t.diagnostic(line);
    assert.equal(code, 0, output);
  });
}
