// Peers without a client library: HTTP requests, WebSocket frames and the two kinds of session
// made of them. They send what no well-behaved client sends.

import { randomBytes } from 'node:crypto';
import http from 'node:http';
import net from 'node:net';
import { PATIENCE, within } from './deadline.js';

export const RECORD_SEPARATOR = '\x1e';
const OPEN_TIMEOUT = 5000;

/** One HTTP request on a connection of its own. */
export function request(port, { method = 'GET', path, headers = {}, body } = {}) {
  return within(
    new Promise((resolve, reject) => {
      const outgoing = http.request({ host: '127.0.0.1', port, method, path, headers, agent: false }, (response) => {
        const chunks = [];
        response.on('data', (chunk) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const bytes = Buffer.concat(chunks);
          resolve({ status: response.statusCode, headers: response.headers, body: bytes.toString('utf8'), bytes });
        });
      });
      outgoing.on('error', reject);
      outgoing.end(body);
    }),
    `response to ${method} ${path}`,
  );
}

/** Writes the bytes of a request as they are; resolves to what came until the end of the connection. */
export function rawRequest(port, bytes) {
  return within(
    new Promise((resolve) => {
      let received = '';
      const socket = net.connect(port, '127.0.0.1', () => socket.write(bytes));
      socket.setEncoding('latin1').on('data', (text) => (received += text));
      socket.on('error', () => {});
      socket.on('close', () => {
        const [head, ...rest] = received.split('\r\n\r\n');
        resolve({ status: Number(head.split(' ')[1]), head, body: rest.join('\r\n\r\n') });
      });
    }),
    'end of the connection',
  );
}

export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 };

/** A WebSocket of frames: what is sent need not be valid. */
export class RawWebSocket {
  /**
   * Sends the upgrade request. Resolves to the socket, or to `{status, head, body}` of a server that
   * did not switch protocols. A header given as `null` is left out.
   */
  static open(port, path, { method = 'GET', headers = {} } = {}) {
    const fields = {
      Host: `127.0.0.1:${port}`,
      Connection: 'Upgrade',
      Upgrade: 'websocket',
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Key': randomBytes(16).toString('base64'),
      ...headers,
    };
    const lines = Object.entries(fields).filter(([, value]) => value !== null).map(([name, value]) => `${name}: ${value}\r\n`);
    return within(
      new Promise((resolve, reject) => {
        const tcp = net.connect(port, '127.0.0.1', () => tcp.write(`${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`));
        let buffer = Buffer.alloc(0);
        let head = null;
        const onData = (chunk) => {
          buffer = Buffer.concat([buffer, chunk]);
          const end = buffer.indexOf('\r\n\r\n');
          if (end < 0 || head) return;
          head = buffer.subarray(0, end).toString('latin1');
          if (statusOf(head) !== 101) return;
          tcp.off('data', onData).off('close', onClose);
          resolve(new RawWebSocket(tcp, head, buffer.subarray(end + 4)));
        };
        const onClose = () => {
          if (!head) return reject(new Error('closed without a response'));
          const body = buffer.subarray(buffer.indexOf('\r\n\r\n') + 4).toString();
          resolve({ status: statusOf(head), head, body });
        };
        tcp.on('data', onData).on('close', onClose).on('error', () => {});
      }),
      `response to the upgrade request ${path}`,
    );
  }

  constructor(tcp, head, rest) {
    this.status = 101;
    this.head = head;
    this.tcp = tcp;
    this.buffer = rest;
    this.frames = [];
    this.wakeups = [];
    /** `{code}` once closed: of the close frame, 1005 if it carried none, 1006 if there was no such frame. */
    this.end = null;
    tcp.on('data', (chunk) => {
      this.buffer = Buffer.concat([this.buffer, chunk]);
      this.#parse();
    });
    tcp.on('close', () => this.#finish(1006));
    this.#parse();
  }

  /** Sends one frame. */
  frame(opcode, payload = '', { fin = true, rsv = 0, mask = true, lengthOnly = false } = {}) {
    const data = Buffer.from(payload);
    const header = [(fin ? 0x80 : 0) | (rsv << 4) | opcode];
    const maskBit = mask ? 0x80 : 0;
    if (data.length < 126) header.push(maskBit | data.length);
    else if (data.length < 65_536) header.push(maskBit | 126, data.length >> 8, data.length & 255);
    else header.push(maskBit | 127, 0, 0, 0, 0, ...[24, 16, 8, 0].map((shift) => (data.length >>> shift) & 255));
    const key = mask ? randomBytes(4) : Buffer.alloc(0);
    const body = mask ? data.map((byte, i) => byte ^ key[i % 4]) : data;
    this.tcp.write(Buffer.concat([Buffer.from(header), key, lengthOnly ? Buffer.alloc(0) : body]));
  }

  send(data) {
    this.frame(typeof data === 'string' ? OPCODE.text : OPCODE.binary, data);
  }

  /** The next frame, or null when the socket is closed. */
  async next(ms = PATIENCE) {
    const deadline = Date.now() + ms;
    while (this.frames.length === 0 && !this.end) {
      await within(new Promise((resolve) => this.wakeups.push(resolve)), 'frame', deadline - Date.now());
    }
    return this.frames.shift() ?? null;
  }

  destroy() {
    this.tcp.destroy();
  }

  #parse() {
    for (;;) {
      const { buffer } = this;
      if (buffer.length < 2) return;
      let length = buffer[1] & 0x7f;
      let offset = 2;
      if (length === 126) {
        if (buffer.length < 4) return;
        length = buffer.readUInt16BE(2);
        offset = 4;
      } else if (length === 127) {
        if (buffer.length < 10) return;
        length = Number(buffer.readBigUInt64BE(2));
        offset = 10;
      }
      if (buffer.length < offset + length) return;
      const opcode = buffer[0] & 0x0f;
      const rsv = (buffer[0] >> 4) & 7;
      const payload = buffer.subarray(offset, offset + length);
      this.buffer = buffer.subarray(offset + length);
      if (opcode === OPCODE.close) return this.#finish(payload.length >= 2 ? payload.readUInt16BE(0) : 1005);
      this.frames.push({ opcode, rsv, payload });
      this.#wake();
    }
  }

  #finish(code) {
    this.end ??= { code };
    this.tcp.end();
    this.#wake();
  }

  #wake() {
    for (const resolve of this.wakeups.splice(0)) resolve();
  }
}

function statusOf(head) {
  return Number(head.split(' ')[1]);
}

/** What both kinds of session have in common: packets in, packets out, the end. */
class Session {
  constructor(port, { path = '/socket.io/', pong = true } = {}) {
    this.port = port;
    this.path = path;
    this.pong = pong;
    this.inbox = [];
    /** `{code}` once the server closed the session; `code` is that of the close frame, if any. */
    this.end = null;
  }

  /** The next packet that is not a PING (or a noop), or null when the session is closed. */
  async packet(ms = PATIENCE) {
    const deadline = Date.now() + ms;
    while (this.inbox.length === 0 && !this.end) await this.receive(deadline - Date.now());
    return this.inbox.shift() ?? null;
  }

  /** Waits until the server closes the session. */
  async closed(ms = PATIENCE) {
    const deadline = Date.now() + ms;
    while (!this.end) await this.receive(deadline - Date.now());
    return this.end;
  }

  /** Joins a namespace that welcomes its sockets; resolves to the socket id. */
  async connect(nsp = '/') {
    const prefix = nsp === '/' ? '' : `${nsp},`;
    await this.send(`40${prefix}`);
    const answer = await this.packet();
    if (!answer?.startsWith(`40${prefix}{"sid":"`)) throw new Error(`no CONNECT but ${answer}`);
    const welcome = await this.packet();
    if (!welcome?.startsWith(`42${prefix}["welcome",`)) throw new Error(`no welcome but ${welcome}`);
    return JSON.parse(answer.slice(2 + prefix.length)).sid;
  }

  async deliver(packet) {
    if (packet === '2') {
      if (this.pong) await this.send('3');
    } else if (packet !== '6') {
      this.inbox.push(packet);
    }
  }
}

export class PollingSession extends Session {
  static transport = 'polling';

  static async open(t, port, options = {}) {
    const session = new PollingSession(port, options);
    const { status, body } = await session.#request('GET', `?EIO=4&transport=polling${options.query ?? ''}`);
    if (status !== 200) throw new Error(`handshake refused: ${status} ${body}`);
    session.handshake = JSON.parse(body.slice(1));
    session.sid = session.handshake.sid;
    return session;
  }

  get query() {
    return `?EIO=4&transport=polling&sid=${this.sid}`;
  }

  get url() {
    return `${this.path}${this.query}`;
  }

  get() {
    return this.#request('GET', this.query);
  }

  post(body, headers = {}) {
    return this.#request('POST', this.query, { 'Content-Length': Buffer.byteLength(body), ...headers }, body);
  }

  /** Sends packets in one payload; binary ones become base64. */
  async send(...packets) {
    const items = packets.map((packet) => (typeof packet === 'string' ? packet : `b${packet.toString('base64')}`));
    const response = await this.post(items.join(RECORD_SEPARATOR));
    this.#notice(response);
    return response;
  }

  async receive(ms) {
    const response = await within(this.get(), 'answer of a poll', ms);
    if (this.#notice(response)) return;
    for (const packet of response.body.split(RECORD_SEPARATOR)) {
      // The end is known when the id is refused afterwards; the close packet is its announcement.
      if (packet === '1') this.announced = true;
      else await this.deliver(packet);
    }
  }

  /** Starts a poll and breaks its connection: the server reads the request, then the end of the stream. */
  abortPoll() {
    const tcp = net.connect(this.port, '127.0.0.1', () => {
      tcp.write(`GET ${this.url} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`, () => tcp.destroy());
    });
    tcp.on('error', () => {});
  }

  #notice(response) {
    if (response.status === 200) return false;
    if (response.status === 400 && response.body === '{"code":1,"message":"Session ID unknown"}') {
      this.end = { announced: this.announced };
      return true;
    }
    throw new Error(`unexpected answer: ${response.status} ${response.body}`);
  }

  #request(method, query, headers = {}, body) {
    return request(this.port, { method, path: `${this.path}${query}`, headers, body });
  }
}

export class WebSocketSession extends Session {
  static transport = 'websocket';

  static async open(t, port, options = {}) {
    const session = new WebSocketSession(port, options);
    const url = `${session.path}?EIO=4&transport=websocket${options.query ?? ''}`;
    session.ws = await RawWebSocket.open(port, url);
    if (session.ws.status !== 101) throw new Error(`handshake refused: ${session.ws.status} ${session.ws.body}`);
    t.after(() => session.ws.destroy());
    const { payload } = await session.ws.next(OPEN_TIMEOUT);
    session.handshake = JSON.parse(payload.toString().slice(1));
    session.sid = session.handshake.sid;
    return session;
  }

  async send(...packets) {
    for (const packet of packets) this.ws.send(packet);
  }

  async receive(ms) {
    const frame = await this.ws.next(ms);
    if (!frame) this.end = this.ws.end;
    else if (frame.opcode === OPCODE.text) await this.deliver(frame.payload.toString());
    else if (frame.opcode === OPCODE.binary) await this.deliver(`b${frame.payload.toString('base64')}`);
    else this.inbox.push(`frame ${frame.opcode} ${frame.payload}`);
  }
}
