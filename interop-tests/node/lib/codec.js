// Decoders and encoders side by side: the official packages here, ours in the program `codec`. What they make of an input is brought into one form.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { command } from './server.js';

const require = createRequire(import.meta.url);
const { decodePacket, decodePayload, encodePacket, encodePayload } = require('engine.io-parser');
// The copy that the official server has of engine.io-parser 2, and what clients of version 2 have.
export const parserV3 = require('../node_modules/engine.io/build/parser-v3/index.js');
export const parserOfClientV2 = require('../node_modules/socket.io-client-v2/node_modules/engine.io-parser');
const json = require('socket.io-parser');
const msgpack = require('socket.io-msgpack-parser');

/** What our program makes of all these inputs, `{ kind, parts }`. */
export async function askOurs(inputs) {
  const [program] = command('codec');
  const child = spawn(program, { stdio: ['pipe', 'pipe', 'inherit'] });
  const closed = once(child, 'close');
  // The program may break down before it has read everything; its end tells.
  child.stdin.on('error', () => {});
  child.stdin.end(inputs.map(({ kind, parts }) => `${[kind, ...parts.map((part) => Buffer.from(part).toString('base64'))].join(' ')}\n`).join(''));
  const answers = [];
  for await (const line of createInterface({ input: child.stdout })) answers.push(JSON.parse(line));
  const [code, signal] = await closed;
  if (code !== 0 || answers.length !== inputs.length) {
    const input = JSON.stringify(inputs[answers.length]);
    throw new Error(`the program ended with ${signal ?? code} after ${answers.length} answers; the next input was ${input}`);
  }
  return answers;
}

const BITS = new DataView(new ArrayBuffer(8));

export function number(value) {
  BITS.setFloat64(0, value);
  return { n: BITS.getBigUint64(0).toString(16).padStart(16, '0') };
}

/** A value in the form that the program writes: numbers by their bits, binary in base64, entries of objects sorted. */
export function canonical(value) {
  if (value === null || value === undefined) return null;
  if (typeof value === 'number') return number(value);
  if (typeof value === 'string') return value.toWellFormed();
  if (typeof value === 'boolean') return value;
  if (value instanceof Date) return canonical(value.toJSON());
  if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) return { b: Buffer.from(value).toString('base64') };
  if (Array.isArray(value)) return Array.from(value, canonical);
  const entries = new Map(Object.keys(value).map((key) => [key.toWellFormed(), canonical(value[key])]));
  return { o: [...entries].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b))) };
}

function enginePacket({ type, data }) {
  if (type === 'error') return null;
  if (['close', 'upgrade', 'noop'].includes(type)) return [type];
  return [type, typeof data === 'object' ? canonical(data) : (data ?? '').toWellFormed()];
}

/** The packets of revision 3 that a parser hands out, up to an error, which ends the session. */
function payload3(parser, body) {
  const packets = [];
  parser.decodePayload(body, 'nodebuffer', (packet) => {
    packets.push(packet);
    return packet.type !== 'error';
  });
  const error = packets.findIndex(({ type }) => type === 'error');
  return error < 0 ? packets : packets.slice(0, error + 1);
}

/** In revision 3, binary means nothing to a server unless it is a message. */
function binaryOnly(packet) {
  if (typeof packet.data === 'string' || packet.data === undefined || packet.type === 'message') return packet;
  return packet.type === undefined ? { type: 'noop' } : { type: packet.type, data: '' };
}

function socketIoPacket({ type, nsp, id, data }) {
  nsp = nsp.toWellFormed();
  // Nothing comes of these.
  if ((type === 2 && data === undefined) || (type === 3 && id === undefined)) return { ignored: nsp };
  if (type === 3) data ??= [];
  const hasId = (type === 2 || type === 3) && id !== undefined;
  return { type, nsp, id: hasId ? number(id) : null, data: data === undefined ? [] : [canonical(data)] };
}

function socketIo(decoder, messages) {
  const packets = [];
  decoder.on('decoded', (packet) => packets.push(socketIoPacket(packet)));
  try {
    for (const message of messages) decoder.add(message);
  } catch {
    packets.push(null);
  }
  return packets;
}

const text = (part) => Buffer.from(part).toString('utf8');

/** What the official packages decode, by kind: packets, and `null` where something is refused. */
const DECODERS = {
  'packet4-text': ([part]) => [enginePacket(decodePacket(text(part), 'nodebuffer'))],
  'packet4-binary': ([part]) => [enginePacket(decodePacket(Buffer.from(part), 'nodebuffer'))],
  'packet3-text': ([part]) => [enginePacket(binaryOnly(parserV3.decodePacket(text(part), 'nodebuffer', false)))],
  'packet3-binary': ([part]) => [enginePacket(binaryOnly(parserV3.decodePacket(Buffer.from(part), 'nodebuffer', false)))],
  payload4: ([part]) => decodePayload(text(part), 'nodebuffer').map(enginePacket),
  'payload3-text': ([part]) => payload3(parserV3, text(part)).map(binaryOnly).map(enginePacket),
  'payload3-binary': ([part]) => payload3(parserV3, Buffer.from(part)).map(binaryOnly).map(enginePacket),
  json: ([first, ...rest]) => socketIo(new json.Decoder(), [text(first), ...rest.map((part) => Buffer.from(part))]),
  msgpack: ([part]) => socketIo(new msgpack.Decoder(), [Buffer.from(part)]),
};

export const decode = ({ kind, parts }) => DECODERS[kind](parts);

/** Without the type of Engine.IO's message. */
const withoutType = (message) => (typeof message === 'string' ? message.slice(1) : message);

/** What they decode of what we have encoded: `form` is a list of strings and `{ b }`. */
const REDECODERS = {
  'packet4-text': (form) => form.map((message) => enginePacket(decodePacket(message, 'nodebuffer'))),
  'packet3-text': (form) => form.map((message) => enginePacket(parserOfClientV2.decodePacket(message, 'nodebuffer', false))),
  payload4: (form) => decodePayload(form[0], 'nodebuffer').map(enginePacket),
  'payload3-text': (form) => payload3(parserOfClientV2, form[0]).map(enginePacket),
  json: (form) => socketIo(new json.Decoder({ maxAttachments: Infinity }), form.map(withoutType)),
  msgpack: (form) => socketIo(new msgpack.Decoder(), form),
};
REDECODERS['packet4-binary'] = REDECODERS['packet4-text'];
REDECODERS['packet3-binary'] = REDECODERS['packet3-text'];
REDECODERS['payload3-binary'] = REDECODERS['payload3-text'];

export function decodeOurs(kind, form) {
  return REDECODERS[kind](form.map((message) => (typeof message === 'string' ? message : Buffer.from(message.b, 'base64'))));
}

const bytes = (message) => (typeof message === 'string' ? Buffer.from(message.toWellFormed()) : Buffer.from(message));

/** What the official packages encode: the parts of an input. */
export const encode = {
  packet4: (packet) => {
    let part;
    encodePacket(packet, true, (encoded) => (part = bytes(encoded)));
    return part;
  },
  payload4: (packets) => {
    let part;
    encodePayload(packets, (encoded) => (part = bytes(encoded)));
    return part;
  },
  packet3: (packet, supportsBinary) => {
    let encoded;
    parserOfClientV2.encodePacket(packet, supportsBinary, false, (result) => (encoded = result));
    return encoded;
  },
  payload3: (packets, supportsBinary) => {
    let encoded;
    parserOfClientV2.encodePayload(packets, supportsBinary, (result) => (encoded = result));
    return encoded;
  },
  json: (packet) => new json.Encoder().encode(packet).map(bytes),
  msgpack: (packet) => new msgpack.Encoder().encode(packet).map(bytes),
};
