// Malformed payloads of revision 3, beside healthy clients.

import assert from 'node:assert/strict';
import { suiteServer } from '../lib/harness.js';
import { besideHealthyClients } from '../lib/malformed.js';
import { request } from '../lib/raw.js';

const suite = suiteServer();
const beside = besideHealthyClients(suite);

const PATH = '/socket.io/';
const refusal = () => ({ status: 400, body: '{"code":1,"message":"Session ID unknown"}' });

function checkResponse(actual, expected) {
  assert.equal(actual.status, expected.status, actual.body);
  if (expected.body instanceof RegExp) assert.match(actual.body, expected.body);
  else if (expected.body !== undefined) assert.equal(actual.body, expected.body);
  if (expected.body?.startsWith?.('{"code"')) assert.match(actual.headers['content-type'], /^application\/json/);
}

// Payloads of revision 3, which count UTF-16 code units: [name, body, outcome].
for (const [name, body] of [
  ['a length that is too small', '3:420["echo"]'],
  ['a length that is too great', '99:420["echo"]'],
  ['a length that is no number', 'x:420["echo"]'],
  ['no length', '420["echo"]'],
  ['a negative length', '-1:4'],
  ['digits at the end', '2:4112'],
  ['an empty body', ''],
  ['an unknown packet type', '1:x'],
  ['a length of 400 digits', `${'9'.repeat(400)}:4`],
]) {
  beside(`revision 3: ${name}`, async () => {
    const opened = await request(suite.port, { path: `${PATH}?EIO=3&transport=polling` });
    assert.match(opened.body, /^\d+:0\{"sid":"/);
    const { sid } = JSON.parse(opened.body.slice(opened.body.indexOf('{')));
    const path = `${PATH}?EIO=3&transport=polling&sid=${sid}`;
    assert.match((await request(suite.port, { path })).body, /^2:40/);
    await request(suite.port, { method: 'POST', path, body });
    // A pending farewell may be read first; after it the id is unknown.
    let answer = await request(suite.port, { path });
    for (let polls = 0; answer.status === 200 && polls < 3; polls++) answer = await request(suite.port, { path });
    checkResponse(answer, refusal(1));
  });
}
