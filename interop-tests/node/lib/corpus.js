// Inputs for decoders: packets as the official encoders write them, and what little accidents make of them. The same ones in every run.

import { encode } from './codec.js';

/** A sequence that depends on nothing but its seed (mulberry32). */
export class Random {
  constructor(seed) {
    this.state = seed;
  }

  below(limit) {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  }

  chance(percent) {
    return this.below(100) < percent;
  }

  of(list) {
    return list[this.below(list.length)];
  }

  times(limit, make) {
    return Array.from({ length: this.below(limit + 1) }, make);
  }

  string() {
    return this.times(4, () => this.of(['a', 'é', '€', '😀', '"', '\\', '\n', '\0', '/', ',', '-', ':', '1', '0', ' ', '\u2028', '\ufeff', '_placeholder', 'num'])).join('');
  }

  buffer() {
    return Buffer.from(this.times(8, () => this.below(256)));
  }

  value(depth = 3) {
    switch (this.below(depth > 0 ? 11 : 8)) {
      case 0:
        return null;
      case 1:
        return this.chance(50);
      case 2:
        return this.of([0, -0, 1, -1, 127, 128, 255, 256, 65535, 65536, 2 ** 31, 2 ** 32, 2 ** 53, -(2 ** 53), 2 ** 64, 1e21, -129, -32769]);
      case 3:
        return this.of([0.5, -1.5, 1 / 3, 1e-7, 1e300, 5e-324, 1.7976931348623157e308, 4.35, 123456789.123]);
      case 4:
      case 5:
        return this.string();
      case 6:
        return this.buffer();
      case 7:
        return this.of([new Date(0), new Date(1.7e12), '2024-02-29T12:00:00.000Z']);
      case 8:
        return this.times(4, () => this.value(depth - 1));
      default:
        return Object.fromEntries(this.times(4, () => [this.string(), this.value(depth - 1)]));
    }
  }
}

/** Types as often as they are wanted. */
const ENGINE_TYPES = ['open', 'close', 'ping', 'pong', 'message', 'message', 'message', 'upgrade', 'noop'];

function enginePacket(random) {
  const type = random.of(ENGINE_TYPES);
  if (type === 'message' && random.chance(40)) return { type, data: random.buffer() };
  return random.chance(80) ? { type, data: random.string() } : { type };
}

function socketIoPacket(random) {
  const nsp = random.of(['/', '/', '/', '/adm', '/a/b-c', '/é', '/q?token=abc']);
  const id = random.of([0, 1, 12, 999, 2 ** 53 - 1]);
  const args = random.times(4, () => random.value());
  switch (random.below(10)) {
    case 0:
      return { type: 0, nsp };
    case 1:
      return { type: 0, nsp, data: { token: random.string(), n: random.below(10) } };
    case 2:
      return { type: 1, nsp };
    case 3:
      return { type: 4, nsp, data: random.of([{ message: random.string(), data: null }, random.string()]) };
    case 4:
    case 5:
      return { type: 3, nsp, id, data: args };
    default: {
      const data = [random.of(['e', 'é', 'a"b', 'message', 1, 0, 'x\\y', ...(random.chance(10) ? ['connect', 'disconnect'] : [])]), ...args];
      return random.chance(30) ? { type: 2, nsp, id, data } : { type: 2, nsp, data };
    }
  }
}

function input(random, kind) {
  switch (kind) {
    case 'packet4-text':
    case 'packet4-binary':
      return { kind, parts: [encode.packet4(enginePacket(random))] };
    case 'packet3-text':
    case 'packet3-binary': {
      const encoded = encode.packet3(enginePacket(random), kind === 'packet3-binary');
      return { kind: typeof encoded === 'string' ? 'packet3-text' : 'packet3-binary', parts: [Buffer.from(encoded)] };
    }
    case 'payload4':
      return { kind, parts: [encode.payload4([enginePacket(random), ...random.times(3, () => enginePacket(random))])] };
    case 'payload3-text':
    case 'payload3-binary': {
      const packets = random.times(3, () => enginePacket(random));
      const encoded = encode.payload3(packets, kind === 'payload3-binary');
      return { kind: typeof encoded === 'string' ? 'payload3-text' : 'payload3-binary', parts: [Buffer.from(encoded)] };
    }
    default:
      return { kind, parts: encode[kind](socketIoPacket(random)) };
  }
}

/** What stands in packets of a kind, to be put in at random places. */
const PIECES = {
  msgpack: ['\x80', '\x90', '\xa0', '\xc0', '\xc1', '\xc2', '\xc4\x01a', '\xca', '\xcb', '\xcc', '\xcd', '\xd3', '\xd4\x00\x00', '\xd4\x01a', '\xd7\x00', '\xd9\x01', '\xdc\x00', '\xff', '\x05'],
  'payload3-binary': ['\x00', '\x01', '\x02', '\x09', '\x0a', '\xff', '\x00\x01\xff2', '\x01\x01\xff\x04', '\xc3', '\xa9', '4'],
  other: [
    '0', '1', '2', '3', '4', '5', '6', '7', '9', 'b', '-', '/', ',', '/a,', '[', ']', '{', '}', '"', ':', '\\', '\\ud83d', '\\u0041', 'e', 'E', '+', '.', ' ', '\n', '\t',
    'null', 'true', '1e400', '-0', '99999999999999999999', '\x1e', '=', '_', '{"_placeholder":true,"num":0}', '"_placeholder":true', '"num":1', '51-', '\u00e9',
  ],
};

/** One of the accidents that happen to bytes. */
function damage(random, part, kind) {
  const at = random.below(part.length + 1);
  const piece = Buffer.from(random.of(PIECES[kind] ?? PIECES.other), kind in PIECES ? 'latin1' : 'utf8');
  switch (random.below(5)) {
    case 0:
      return Buffer.concat([part.subarray(0, at), piece, part.subarray(at)]);
    case 1:
      return Buffer.concat([part.subarray(0, at), piece, part.subarray(at + 1)]);
    case 2:
      return part.subarray(0, at + 1);
    case 3:
      return Buffer.concat([part.subarray(0, at), part.subarray(at + 1)]);
    default: {
      const from = random.below(part.length + 1);
      return Buffer.concat([part.subarray(0, at), part.subarray(from, from + 4), part.subarray(at)]);
    }
  }
}

/** So many inputs of a kind; a third of them are as they should be. */
export function inputs(kind, count, seed) {
  const random = new Random(seed);
  return Array.from({ length: count }, () => {
    const made = input(random, kind);
    // Texts are given to decoders when their UTF-8 has been checked already.
    if (random.chance(33)) return made;
    const isBinary = kind === 'msgpack' || made.kind.endsWith('-binary');
    for (let rounds = 1 + random.below(3); rounds > 0; rounds--) {
      made.parts[0] = damage(random, made.parts[0], isBinary && made.kind !== 'payload3-binary' ? 'msgpack' : made.kind);
    }
    if (!isBinary) made.parts[0] = Buffer.from(made.parts[0].toString('utf8'));
    if (kind === 'json' && random.chance(5)) made.parts.push(Buffer.from([1]));
    return made;
  });
}
