// What the suites of malformed input share: the healthy clients beside each row, and the outcomes.
//
// A row says in `expect` what the project does. Where the project mends what the reference does,
// `reference` says what that is.

import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { connectClient } from './client.js';
import { within } from './deadline.js';
import { scenario } from './harness.js';
import { isReference } from './server.js';

/** The outcomes of input that a session may or may not survive. */
export const CLOSED = 'the session is closed';
export const ALIVE = 'the session lives on';
export const EITHER = 'closed or alive';
/** Only of the reference: the row is left out, for it would end the server for all other rows. */
export const CRASH = 'the server crashes';

export function expectation(row) {
  return isReference && row.reference !== undefined ? row.reference : row.expect;
}

/**
 * Two official clients that stay connected for the whole file, and a function that makes tests: each
 * of them ends with a round trip of both clients on the connections that they had from the start.
 */
export function besideHealthyClients(suite, { event = 'echo-ack' } = {}) {
  const cleanups = [];
  const clients = [];
  before(async () => {
    await suite.started;
    for (const transport of ['polling', 'websocket']) {
      const client = await connectClient({ after: (clean) => cleanups.push(clean) }, suite.url, { transport });
      clients.push({ client, id: client.id });
    }
  });
  after(() => cleanups.forEach((clean) => clean()));

  return (sentence, run) => {
    scenario(sentence, async (t) => {
      await run(t);
      await Promise.all(
        clients.map(async ({ client, id }) => {
          assert.deepEqual(await client.ask(event, sentence), [sentence]);
          assert.equal(client.id, id, 'the healthy client had to reconnect');
        }),
      );
    });
  };
}

/** Checks that a session ends, or that it lives on: then it must have answered with `replies`. */
export async function checkOutcome(session, outcome, { replies, joined = true } = {}) {
  if (outcome === CLOSED) return session.closed();
  const { alive, packets } = await probe(session, joined);
  if (outcome === ALIVE) {
    assert.ok(alive, `the session is closed (${JSON.stringify(session.end)})`);
    if (replies) assert.deepEqual(meaning(packets), meaning(replies));
  }
  return session.end;
}

/** Asks the session for a sign of life; resolves with what came before it. */
async function probe(session, joined) {
  const [question, isAnswer] = joined
    ? ['42["echo","alive?"]', (packet) => packet === '42["echo-back","alive?"]']
    : ['40', (packet) => packet.startsWith('40{"sid":"')];
  await session.send(question);
  const packets = [];
  for (;;) {
    const packet = await within(session.packet(), 'sign of life');
    if (packet === null) return { alive: false, packets };
    if (isAnswer(packet)) return { alive: true, packets };
    packets.push(packet);
  }
}

/**
 * What packets mean, apart from how their JSON is written: a server may pass arguments on as they came, with their
 * white space, escapes, repeated keys and attachments that nobody uses.
 */
function meaning(packets) {
  const meanings = [];
  for (const packet of packets) {
    const [, prefix, json] = /^4[56]?\d*-?([^[{"]*)([[{"].*)?$/s.exec(packet) ?? [];
    if (typeof packet === 'string' && packet.startsWith('b') && meanings.length > 0) {
      meanings.at(-1).attachments.push(packet.slice(1));
    } else {
      meanings.push({ prefix: json === undefined ? packet : prefix, value: json === undefined ? null : JSON.parse(json), attachments: [] });
    }
  }
  return meanings.map(({ prefix, value, attachments }) => ({ prefix, value: filled(value, attachments) }));
}

/** The value with its placeholders replaced. Without attachments there are none. */
function filled(value, attachments) {
  if (attachments.length === 0 || typeof value !== 'object' || value === null) return value;
  if (value._placeholder === true) return { binary: attachments[value.num] };
  if (Array.isArray(value)) return value.map((item) => filled(item, attachments));
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, filled(item, attachments)]));
}
