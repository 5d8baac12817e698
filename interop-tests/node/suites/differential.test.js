// The same inputs for our codecs and for the official packages: both accept or refuse them, read the same from them, and read what the other writes.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { askOurs, decode, decodeOurs } from '../lib/codec.js';
import { inputs } from '../lib/corpus.js';
import { KNOWN } from '../lib/differences.js';
import { isReference } from '../lib/server.js';

/** In MessagePack, names that the library uses itself are taken. Nobody may send them on. */
const isReserved = ({ type, data }) => type === 2 && ['connect', 'connect_error', 'disconnect', 'disconnecting', 'newListener', 'removeListener'].includes(data[0][0]);

/** Inputs of each kind. */
const COUNTS = {
  'packet4-text': 2_000,
  'packet4-binary': 500,
  'packet3-text': 2_000,
  'packet3-binary': 1_000,
  payload4: 4_000,
  'payload3-text': 4_000,
  'payload3-binary': 3_000,
  json: 12_000,
  msgpack: 6_000,
};

const show = (input) => input.parts.map((part) => Buffer.from(part).toString(input.kind === 'msgpack' || input.kind.endsWith('binary') ? 'latin1' : 'utf8'));

describe('our codecs and the official ones', { skip: isReference && 'there is nothing to compare' }, () => {
  for (const [kind, count] of Object.entries(COUNTS)) {
    const known = KNOWN[kind] ?? [];
    it(`${kind}: ${count} inputs are read alike, and what we write is read as it was meant`, async () => {
      const corpus = inputs(kind, count, 1);
      const answers = await askOurs(corpus);
      const differences = [];
      let accepted = 0;
      for (const [index, input] of corpus.entries()) {
        const official = decode(input);
        const { out: ours, again } = answers[index];
        accepted += ours.length > 0 && !ours.includes(null);
        if (!isDeepStrictEqual(official, ours)) {
          const isKnown = (KNOWN[input.kind] ?? []).some(({ when }) => when({ input, official, ours }));
          if (!isKnown) differences.push({ input: show(input), official, ours });
          continue;
        }
        // Packets of Socket.IO are encoded one by one, others once in each form.
        const meant = ours.filter((packet) => packet && !packet.ignored && !isReserved(packet));
        const isSocketIo = kind === 'json' || kind === 'msgpack';
        const forms = isSocketIo ? [again.flatMap((form) => decodeOurs(kind, form))] : again.map((form) => decodeOurs(input.kind, form));
        for (const reread of forms) {
          if (!isDeepStrictEqual(reread, meant)) differences.push({ input: show(input), again, reread, meant });
        }
      }
      assert.deepEqual(differences.slice(0, 5), [], `${differences.length} differences that nobody knows of`);
      assert.ok(accepted > count / 10, `only ${accepted} were accepted`);
    });
    for (const { why, example, when } of known) {
      it(`${kind}, known: ${why}`, async () => {
        const input = { kind, parts: example };
        const official = decode(input);
        const [{ out: ours }] = await askOurs([input]);
        assert.notDeepEqual(ours, official, 'this is no difference any more');
        assert.ok(when({ input, official, ours }));
      });
    }
  }
});
