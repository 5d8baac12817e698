// The counterpart of examples/custom_parser.rs: a parser for the official packages that writes
// each packet as one CBOR map, binary data in place.

import { Emitter } from '@socket.io/component-emitter';
import { decode, encode } from 'cborg';

export const protocol = 5;

export class Encoder {
  encode({ type, nsp, data, id }) {
    const packet = { type, nsp };
    if (data !== undefined) packet.data = data;
    if (id !== undefined) packet.id = id;
    return [Buffer.from(encode(packet))];
  }
}

export class Decoder extends Emitter {
  add(message) {
    const packet = withBuffers(decode(message instanceof ArrayBuffer ? new Uint8Array(message) : message));
    if (!isLegal(packet)) throw new Error('invalid packet');
    this.emit('decoded', packet);
  }

  destroy() {}
}

/** Binary data as the official client hands it out. */
function withBuffers(value) {
  if (value instanceof Uint8Array) return Buffer.from(value);
  if (Array.isArray(value)) return value.map(withBuffers);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withBuffers(item)]));
}

function isLegal({ type, nsp, data, id }) {
  if (typeof nsp !== 'string' || !(id === undefined || Number.isInteger(id))) return false;
  const isObject = typeof data === 'object' && data !== null && !Array.isArray(data);
  switch (type) {
    case 0:
      return data === undefined || isObject;
    case 1:
      return data === undefined;
    case 2:
    case 3:
      return Array.isArray(data);
    case 4:
      return isObject || typeof data === 'string';
    default:
      return false;
  }
}
