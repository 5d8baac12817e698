// The HTTP side: compressed polls, CORS, the cookie, hooks for headers, the browser client's files,
// and requests that are none of the server's business.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import zlib from 'node:zlib';
import { Fetch } from 'socket.io-client';
import { createClient } from '../lib/client.js';
import { overTransports, scenario, suiteServer } from '../lib/harness.js';
import { PollingSession, RawWebSocket, WebSocketSession, rawRequest, request } from '../lib/raw.js';
import { isReference } from '../lib/server.js';

const PACKAGE = join(dirname(fileURLToPath(import.meta.url)), '../node_modules/socket.io');
const CLIENT_DIST = join(PACKAGE, 'client-dist');
const VERSION = JSON.parse(readFileSync(join(PACKAGE, 'package.json'))).version;

const suite = suiteServer({ program: 'feature_server', mode: 'http', env: { CLIENT_DIST } });
const plain = suiteServer({ program: 'feature_server', mode: 'http-plain' });

const POLLING = '/socket.io/?EIO=4&transport=polling';
const WEBSOCKET = '/socket.io/?EIO=4&transport=websocket';
const LONG = 'lorem ipsum dolor sit amet '.repeat(100);

const decode = {
  gzip: zlib.gunzipSync,
  deflate: zlib.inflateSync,
  br: zlib.brotliDecompressSync,
};

const get = (path, headers = {}) => request(suite.port, { path, headers });

/** The answer of a poll with that `Accept-Encoding` to an echo of `text`. */
async function poll(t, server, accepted, text) {
  const session = await PollingSession.open(t, server.port);
  await session.send('40');
  assert.match((await session.get()).body, /^40\{/);
  await session.send(`420${JSON.stringify(['echo', text])}`);
  const headers = accepted ? { 'Accept-Encoding': accepted } : {};
  return request(server.port, { path: session.url, headers });
}

// Compression.

for (const [accepted, encoding] of [
  ['gzip, deflate, br', 'gzip'],
  ['deflate', 'deflate'],
  ['gzip;q=0.2, deflate;q=0.9', 'deflate'],
  ['*', 'gzip'],
]) {
  scenario(`a long poll is compressed with ${encoding} for "${accepted}"`, async (t) => {
    const response = await poll(t, suite, accepted, LONG);
    assert.equal(response.status, 200);
    assert.equal(response.headers['content-encoding'], encoding);
    assert.equal(response.headers['content-type'], 'text/plain; charset=UTF-8');
    if (!isReference) assert.match(response.headers.vary, /Accept-Encoding/);
    assert.ok(response.bytes.length < 300, `${response.bytes.length} bytes`);
    assert.equal(decode[encoding](response.bytes).toString(), `430${JSON.stringify([LONG])}`);
  });
}

scenario('a poll is not compressed if it is short, or if the client does not take it', async (t) => {
  for (const [accepted, text] of [['gzip', 'short'], ['br', LONG], ['gzip;q=0', LONG], [null, LONG]]) {
    const response = await poll(t, suite, accepted, text);
    assert.equal(response.headers['content-encoding'], undefined);
    assert.equal(response.body, `430${JSON.stringify([text])}`);
  }
});

scenario('compression can be switched off', async (t) => {
  const response = await poll(t, plain, 'gzip', LONG);
  assert.equal(response.headers['content-encoding'], undefined);
  assert.equal(response.headers.vary, undefined);
});

scenario('the official client reads compressed polls', async (t) => {
  // The transport over fetch asks for compression and undoes it; what arrives compressed is seen by a proxy of fetch.
  const seen = [];
  const { fetch } = globalThis;
  t.after(() => (globalThis.fetch = fetch));
  globalThis.fetch = async (...args) => {
    const response = await fetch(...args);
    seen.push(response.headers.get('content-encoding'));
    return response;
  };
  const client = createClient(t, suite.url, { transports: [Fetch], upgrade: false });
  await client.connected();
  assert.deepEqual(await client.ask('echo', LONG), [LONG]);
  assert.ok(seen.includes('gzip'), `encodings: ${seen}`);
});

// CORS.

for (const origin of ['https://app.example', 'https://a.app.example']) {
  scenario(`pages of ${origin} may read every answer`, async (t) => {
    const headers = { Origin: origin };
    const session = await PollingSession.open(t, suite.port);
    const preflight = {
      method: 'OPTIONS',
      path: session.url,
      headers: { ...headers, 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': 'x-token' },
    };
    const asked = await request(suite.port, preflight);
    assert.equal(asked.status, 204);
    assert.equal(asked.headers['access-control-allow-methods'], 'GET,POST');
    assert.equal(asked.headers['access-control-allow-headers'], 'x-token');
    assert.equal(asked.headers['access-control-max-age'], '600');
    // RFC 9110 §8.6 forbids the header with 204.
    assert.equal(asked.headers['content-length'], isReference ? '0' : undefined);
    assert.equal(asked.headers.vary, 'Origin, Access-Control-Request-Headers');
    const answers = [
      asked,
      await get(POLLING, headers),
      await session.post('40', headers),
      await get(session.url, headers),
      await get(`${POLLING}&sid=unknown`, headers),
      await get('/socket.io/socket.io.js', headers),
    ];
    assert.deepEqual(answers.map((answer) => answer.status), [204, 200, 200, 200, 400, 200]);
    for (const answer of answers) {
      assert.equal(answer.headers['access-control-allow-origin'], origin);
      assert.equal(answer.headers['access-control-allow-credentials'], 'true');
      assert.equal(answer.headers['access-control-expose-headers'], 'x-every');
      assert.match(answer.headers.vary, /Origin/);
    }
    const ws = await RawWebSocket.open(suite.port, WEBSOCKET, { headers });
    t.after(() => ws.destroy());
    assert.match(ws.head.toLowerCase(), new RegExp(`access-control-allow-origin: ${origin}`));
  });
}

scenario('pages of other origins are answered, without leave to read', async () => {
  const headers = { Origin: 'https://app.example.evil' };
  for (const [method, path, status] of [
    ['GET', POLLING, 200],
    ['OPTIONS', POLLING, 204],
    ['GET', '/socket.io/socket.io.js', 200],
  ]) {
    const answer = await request(suite.port, { method, path, headers });
    assert.equal(answer.status, status);
    assert.equal(answer.headers['access-control-allow-origin'], undefined);
    assert.match(answer.headers.vary, /Origin/);
    // The rest says what they might do if they had leave.
    assert.equal(answer.headers['access-control-allow-credentials'], 'true');
    assert.equal(answer.headers['access-control-expose-headers'], 'x-every');
    assert.equal(answer.headers['access-control-allow-methods'], method === 'OPTIONS' ? 'GET,POST' : undefined);
  }
});

scenario('preflight requests for the files of the client are answered', async () => {
  const headers = { Origin: 'https://app.example' };
  const answer = await request(suite.port, { method: 'OPTIONS', path: '/socket.io/socket.io.js', headers });
  assert.equal(answer.status, 204);
  assert.equal(answer.headers['access-control-allow-origin'], 'https://app.example');
});

scenario('without CORS nothing of it is sent, and OPTIONS is no handshake', async () => {
  const headers = { Origin: 'https://app.example' };
  const answer = await request(plain.port, { path: POLLING, headers });
  assert.deepEqual(Object.keys(answer.headers).filter((name) => /access-control|vary/.test(name)), []);
  const options = await request(plain.port, { method: 'OPTIONS', path: POLLING, headers });
  assert.equal(options.status, 400);
  assert.equal(options.body, '{"code":2,"message":"Bad handshake method"}');
});

// Cookie and hooks.

const cookieOf = (sid) => `sticky=${sid}; Max-Age=3600; Path=/socket.io/; HttpOnly; Secure; SameSite=None`;

scenario('the cookie and the initial headers come once, the others with every answer (polling)', async () => {
  const opened = await get(POLLING);
  const { sid } = JSON.parse(opened.body.slice(1));
  assert.deepEqual(opened.headers['set-cookie'], [cookieOf(sid)]);
  assert.equal(opened.headers['x-initial'], '1');
  const path = `${POLLING}&sid=${sid}`;
  const posted = await request(suite.port, { method: 'POST', path, body: '40', headers: { 'Content-Length': 2 } });
  for (const later of [posted, await get(path)]) {
    assert.equal(later.status, 200);
    assert.equal(later.headers['set-cookie'], undefined);
    assert.equal(later.headers['x-initial'], undefined);
    assert.equal(later.headers['x-every'], '1');
  }
  assert.equal(opened.headers['x-every'], '1');
});

scenario('the cookie and the initial headers come once, the others with every answer (websocket)', async (t) => {
  const opened = await WebSocketSession.open(t, suite.port);
  const head = opened.ws.head.toLowerCase();
  assert.match(head, /x-initial: 1/);
  assert.match(head, /x-every: 1/);
  // The reference has it on polling only, where a load balancer sees half of the clients.
  assert.equal(opened.ws.head.includes(`: ${cookieOf(opened.sid)}`), !isReference);

  const polling = await PollingSession.open(t, suite.port);
  const ws = await RawWebSocket.open(suite.port, `${WEBSOCKET}&sid=${polling.sid}`);
  t.after(() => ws.destroy());
  assert.match(ws.head.toLowerCase(), /x-every: 1/);
  assert.doesNotMatch(ws.head.toLowerCase(), /x-initial|set-cookie/);
});

overTransports(suite, 'the official client works with all of it on', async ({ connect }) => {
  const client = await connect({ withCredentials: true, extraHeaders: { Origin: 'https://app.example' } });
  assert.deepEqual(await client.ask('echo', LONG), [LONG]);
  assert.deepEqual(await client.ask('version'), ['HTTP/1.1']);
});

// The files of the client.

for (const name of ['socket.io', 'socket.io.min', 'socket.io.esm.min', 'socket.io.msgpack.min']) {
  scenario(`${name}.js and its map are served`, async () => {
    for (const [file, type] of [[`${name}.js`, 'javascript'], [`${name}.js.map`, 'json']]) {
      const answer = await get(`/socket.io/${file}?query=ignored`);
      assert.equal(answer.status, 200);
      assert.equal(answer.headers['content-type'], `application/${type}; charset=utf-8`);
      assert.equal(answer.headers['cache-control'], 'public, max-age=0');
      assert.equal(answer.headers.etag, `"${VERSION}"`);
      assert.equal(answer.headers['content-encoding'], undefined);
      assert.ok(answer.bytes.equals(readFileSync(join(CLIENT_DIST, file))));
    }
  });
}

for (const [accepted, encoding] of [
  ['gzip', 'gzip'],
  ['deflate', 'deflate'],
  ['br', 'br'],
  ['br;q=0.1, gzip;q=0.2', 'gzip'],
  ['*', 'br'],
]) {
  scenario(`a file of the client comes as ${encoding} for "${accepted}"`, async () => {
    const file = 'socket.io.min.js';
    // The second answer comes out of memory.
    for (let i = 0; i < 2; i++) {
      const answer = await get(`/socket.io/${file}`, { 'Accept-Encoding': accepted });
      assert.equal(answer.status, 200);
      assert.equal(answer.headers['content-encoding'], encoding);
      if (!isReference) assert.match(answer.headers.vary, /Accept-Encoding/);
      const content = readFileSync(join(CLIENT_DIST, file));
      assert.ok(answer.bytes.length < content.length / 2);
      assert.ok(decode[encoding](answer.bytes).equals(content));
    }
  });
}

scenario('a file that the client has is not sent again', async () => {
  for (const tag of [`"${VERSION}"`, `W/"${VERSION}"`]) {
    const answer = await get('/socket.io/socket.io.js', { 'If-None-Match': tag });
    assert.equal(answer.status, 304);
    assert.equal(answer.bytes.length, 0);
  }
  const answer = await get('/socket.io/socket.io.js', { 'If-None-Match': '"1.0.0"' });
  assert.equal(answer.status, 200);
});

scenario('HEAD tells about a file and sends none of it', async () => {
  const close = 'Host: localhost\r\nConnection: close';
  const { status, head, body } = await rawRequest(suite.port, `HEAD /socket.io/socket.io.js HTTP/1.1\r\n${close}\r\n\r\n`);
  assert.equal(status, 200);
  assert.equal(body, '');
  assert.match(head.toLowerCase(), /content-type: application\/javascript/);
  assert.match(head.toLowerCase(), new RegExp(`etag: "${VERSION}"`));
});

scenario('other names, and all names if the client is not served, are requests without a transport', async () => {
  const refused = '{"code":0,"message":"Transport unknown"}';
  for (const [server, path] of [
    [suite, '/socket.io/socket.io.slim.js'],
    [suite, '/socket.io/package.json'],
    [suite, '/socket.io/../package.json'],
    [plain, '/socket.io/socket.io.js'],
  ]) {
    const answer = await request(server.port, { path });
    assert.equal(answer.status, 400, path);
    assert.equal(answer.body, refused);
  }
});

// Paths.

scenario('a path without its slash is taken if the server is told so', async () => {
  for (const [server, path, status] of [
    [plain, '/socket.io?EIO=4&transport=polling', 200],
    [plain, POLLING, 200],
    [suite, '/socket.io?EIO=4&transport=polling', 404],
    [suite, '/socket.io/more?EIO=4&transport=polling', 200],
    [suite, '/other', 404],
  ]) {
    assert.equal((await request(server.port, { path })).status, status, path);
  }
});

scenario('the official client connects without the slash', async (t) => {
  const client = createClient(t, plain.url, { transport: 'upgrade', addTrailingSlash: false });
  await client.connected();
  assert.deepEqual(await client.ask('echo', 'a'), ['a']);
});

scenario('an upgrade for another path is closed after a while, without an answer', async () => {
  await assert.rejects(RawWebSocket.open(suite.port, '/other'), /closed without a response/);
});
