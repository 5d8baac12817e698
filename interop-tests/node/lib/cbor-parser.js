// The counterpart of examples/custom_parser.rs: a parser for the official packages that writes
// each packet as one CBOR map, binary data in place.

import { Encoder as Cbor } from 'cbor-x';
import { Emitter } from '@socket.io/component-emitter';

export const protocol = 5;

// Plain maps and byte strings, which every CBOR library reads; JavaScript numbers for all integers.
const cbor = new Cbor({ useRecords: false, variableMapSize: true, tagUint8Array: false, int64AsNumber: true });

export class Encoder {
  encode({ type, nsp, data, id }) {
    const packet = { type, nsp };
    if (data !== undefined) packet.data = data;
    if (id !== undefined) packet.id = id;
    return [cbor.encode(packet)];
  }
}

export class Decoder extends Emitter {
  add(message) {
    const packet = cbor.decode(message instanceof ArrayBuffer ? new Uint8Array(message) : message);
    if (!isLegal(packet)) throw new Error('invalid packet');
    this.emit('decoded', packet);
  }

  destroy() {}
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
