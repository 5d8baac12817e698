// Malformed Socket.IO packets, over polling and over WebSocket, beside healthy clients.

import assert from 'node:assert/strict';
import { suiteServer } from '../lib/harness.js';
import { ALIVE, CLOSED, CRASH, EITHER, besideHealthyClients, checkOutcome, expectation } from '../lib/malformed.js';
import { PollingSession, WebSocketSession } from '../lib/raw.js';

const suite = suiteServer();
const beside = besideHealthyClients(suite);

const bytes = Buffer.from([1, 2, 3]);
const INVALID_NAMESPACE = '{"message":"Invalid namespace"}';
const placeholder = (num) => `{"_placeholder":true,"num":${num}}`;
const nested = (depth) => `${'['.repeat(depth)}${']'.repeat(depth)}`;

// `joined: false` rows are sent before any CONNECT, the others after one to the main namespace.
const PACKETS = [
  // Packet types.
  { name: 'an empty message', packets: ['4'], expect: CLOSED },
  { name: 'an unknown packet type', packets: ['4x'], expect: CLOSED },
  { name: 'packet type 7', packets: ['47["echo",1]'], expect: CLOSED },
  { name: 'packet type 9', packets: ['49'], expect: CLOSED },
  { name: 'a packet type with a sign', packets: ['4-2["echo",1]'], expect: CLOSED },
  { name: 'a space before the packet type', packets: ['4 2["echo",1]'], expect: CLOSED },
  { name: 'a full-width digit as packet type', packets: ['4２["echo",1]'], expect: CLOSED },
  { name: 'JSON without a packet type', packets: ['4["echo",1]'], expect: CLOSED },

  // EVENT.
  { name: 'an event without a payload', packets: ['42'], expect: ALIVE, replies: [] },
  { name: 'an event that is an empty array', packets: ['42[]'], expect: CLOSED },
  { name: 'an event that is an object', packets: ['42{}'], expect: CLOSED },
  { name: 'an event that is a string', packets: ['42"echo"'], expect: CLOSED },
  { name: 'an event that is null', packets: ['42null'], expect: CLOSED },
  { name: 'an event that is true', packets: ['42true'], expect: CLOSED },
  { name: 'an event named null', packets: ['42[null]'], expect: CLOSED },
  { name: 'an event named true', packets: ['42[true]'], expect: CLOSED },
  { name: 'an event named by an object', packets: ['42[{"echo":1}]'], expect: CLOSED },
  { name: 'an event named by an array', packets: ['42[["echo"]]'], expect: CLOSED },
  { name: 'an event named by a number', packets: ['42[1,2]'], expect: ALIVE, replies: [] },
  { name: 'an event named by the empty string', packets: ['42["",2]'], expect: ALIVE, replies: [] },
  { name: 'an event that nobody handles', packets: ['42["nobody",2]'], expect: ALIVE, replies: [] },
  { name: 'an event named error', packets: ['42["error","x"]'], expect: ALIVE, replies: [] },
  { name: 'an event named __proto__', packets: ['42["__proto__",{"x":1}]'], expect: ALIVE, replies: [] },
  { name: 'an event named constructor', packets: ['42["constructor"]'], expect: ALIVE, replies: [] },
  ...['connect', 'connect_error', 'disconnect', 'disconnecting', 'newListener', 'removeListener'].map((event) => ({
    name: `the reserved event ${event}`,
    packets: [`42["${event}","x"]`],
    expect: CLOSED,
  })),

  // JSON.
  { name: 'text instead of JSON', packets: ['42hello'], expect: CLOSED },
  { name: 'JSON that breaks off', packets: ['42["echo",{"a":'], expect: CLOSED },
  { name: 'JSON with something behind it', packets: ['42["echo",1]x'], expect: CLOSED },
  { name: 'JSON with a comma too many', packets: ['42["echo",1,]'], expect: CLOSED },
  { name: 'JSON with single quotes', packets: ["42['echo',1]"], expect: CLOSED },
  { name: 'JSON with NaN', packets: ['42["echo",NaN]'], expect: CLOSED },
  { name: 'JSON with a leading zero', packets: ['42["echo",01]'], expect: CLOSED },
  { name: 'JSON with a bare control character', packets: ['42["echo","\n"]'], expect: CLOSED },
  { name: 'JSON with an invalid escape', packets: ['42["echo","\\x41"]'], expect: CLOSED },
  { name: 'JSON with white space', packets: ['42[ "echo" ,\t{ "a" : [ ] }\r\n]'], expect: ALIVE, replies: ['42["echo-back",{"a":[]}]'] },
  { name: 'JSON with escapes for everything', packets: ['42["\\u0065cho","\\ud83e\\udd80\\/"]'], expect: ALIVE, replies: ['42["echo-back","🦀/"]'] },
  { name: 'JSON with a duplicate key', packets: ['42["echo",{"a":1,"a":2}]'], expect: ALIVE, replies: ['42["echo-back",{"a":2}]'] },
  { name: 'a lone surrogate', packets: ['42["echo-ack","\\ud83d"]'], expect: ALIVE, replies: [] },
  { name: 'a lone surrogate as a key', packets: ['42["echo-ack",{"\\udc00":1}]'], expect: ALIVE, replies: [] },
  { name: 'a number beyond all numbers', packets: ['42["echo-ack",1e400,-1e400]'], expect: ALIVE, replies: [] },
  { name: 'a number of 400 digits', packets: [`42["echo-ack",${'9'.repeat(400)}]`], expect: ALIVE, replies: [] },
  { name: 'a number with 400 decimals', packets: [`42["echo-ack",0.${'1'.repeat(400)}]`], expect: ALIVE, replies: [] },
  { name: 'a number below all numbers', packets: ['42["echo-ack",1e-400]'], expect: ALIVE, replies: [] },
  { name: '100 levels of arrays', packets: [`42["echo",${nested(100)}]`], expect: ALIVE, replies: [`42["echo-back",${nested(100)}]`] },
  { name: '5000 levels of arrays', packets: [`42["nobody",${nested(5000)}]`], expect: EITHER },
  { name: '100000 levels of arrays that never end', packets: [`42["nobody",${'['.repeat(100_000)}`], expect: CLOSED },
  { name: '10000 arguments', packets: [`42["nobody"${',0'.repeat(10_000)}]`], expect: ALIVE, replies: [] },
  { name: '400000 arguments', packets: [`42["nobody"${',0'.repeat(400_000)}]`], expect: ALIVE, reference: CRASH, replies: [] },

  // Acknowledgements.
  { name: 'an acknowledgement that nobody asked for', packets: ['4312345["x"]'], expect: ALIVE, replies: [] },
  { name: 'an acknowledgement without an id', packets: ['43["x"]'], expect: ALIVE, replies: [] },
  { name: 'an acknowledgement without anything', packets: ['43'], expect: ALIVE, replies: [] },
  { name: 'an acknowledgement without a payload', packets: ['430'], expect: ALIVE, replies: [] },
  { name: 'an acknowledgement with an object', packets: ['430{}'], expect: CLOSED },
  { name: 'an acknowledgement with a string', packets: ['430"x"'], expect: CLOSED },
  { name: 'an id of the greatest safe integer', packets: ['429007199254740991["echo-ack",1]'], expect: ALIVE, replies: ['439007199254740991[1]'] },
  { name: 'an id with a leading zero', packets: ['4207["echo-ack",1]'], expect: ALIVE, replies: ['437[1]'] },
  { name: 'an id of 20 digits', packets: ['4299999999999999999999["echo-ack",1]'], expect: EITHER },
  { name: 'an id of 400 digits', packets: [`42${'9'.repeat(400)}["echo-ack",1]`], expect: EITHER },
  { name: 'a negative id', packets: ['42-1["echo-ack",1]'], expect: CLOSED },
  { name: 'a fractional id', packets: ['421.5["echo-ack",1]'], expect: CLOSED },
  { name: 'letters as an id', packets: ['42abc["echo-ack",1]'], expect: CLOSED },
  // The reference takes white space for digits; around JSON it means nothing.
  { name: 'white space before the payload', packets: ['42 ["echo-ack",1]'], expect: ALIVE },
  { name: 'white space before an id', packets: ['42 7["echo-ack",1]'], expect: CLOSED, reference: ALIVE },
  { name: 'white space after an id', packets: ['427 ["echo-ack",1]'], expect: ALIVE },

  // CONNECT, DISCONNECT, CONNECT_ERROR.
  { name: 'a second CONNECT', packets: ['40'], expect: CLOSED },
  { name: 'a second CONNECT with a payload', packets: ['40{"again":true}'], expect: CLOSED },
  { name: 'CONNECT with an array', packets: ['40/chat,[]'], expect: CLOSED },
  { name: 'CONNECT with a string', packets: ['40/chat,"x"'], expect: CLOSED },
  { name: 'CONNECT with null', packets: ['40/chat,null'], expect: CLOSED },
  { name: 'CONNECT with a number in braces', packets: ['40/chat,{1}'], expect: CLOSED },
  { name: 'CONNECT with text', packets: ['40/chat,hello'], expect: CLOSED },
  { name: 'DISCONNECT with a payload', packets: ['41{}'], expect: CLOSED },
  { name: 'DISCONNECT with text', packets: ['41bye'], expect: CLOSED },
  { name: 'DISCONNECT of a namespace that was not joined', packets: ['41/chat,'], expect: CLOSED },
  { name: 'CONNECT_ERROR from a client', packets: ['44{"message":"x"}'], expect: CLOSED },
  { name: 'CONNECT_ERROR without a payload', packets: ['44'], expect: CLOSED },
  { name: 'CONNECT_ERROR for a namespace that was not joined', packets: ['44/chat,{"message":"x"}'], expect: CLOSED },

  // Namespaces.
  { name: 'an unknown namespace', packets: ['40/nope,'], expect: ALIVE, replies: [`44/nope,${INVALID_NAMESPACE}`] },
  { name: 'an unknown namespace without a comma', packets: ['40/nope'], expect: ALIVE, replies: [`44/nope,${INVALID_NAMESPACE}`] },
  { name: 'a namespace in capitals', packets: ['40/CHAT,'], expect: ALIVE, replies: [`44/CHAT,${INVALID_NAMESPACE}`] },
  { name: 'a namespace with a query', packets: ['40/chat?x=1,'], expect: ALIVE, replies: [`44/chat?x=1,${INVALID_NAMESPACE}`] },
  { name: 'a namespace with a slash at the end', packets: ['40/chat/,'], expect: ALIVE, replies: [`44/chat/,${INVALID_NAMESPACE}`] },
  { name: 'the namespace __proto__', packets: ['40/__proto__,'], expect: ALIVE, replies: [`44/__proto__,${INVALID_NAMESPACE}`] },
  { name: 'a namespace of a space', packets: ['40/ ,'], expect: ALIVE, replies: [`44/ ,${INVALID_NAMESPACE}`] },
  { name: 'a namespace with the start of a dynamic one', packets: ['40/dyn-,'], expect: ALIVE, replies: [`44/dyn-,${INVALID_NAMESPACE}`] },
  { name: 'a namespace with a line break after a dynamic one', packets: ['40/dyn-1\n,'], expect: ALIVE, replies: [`44/dyn-1\n,${INVALID_NAMESPACE}`] },
  { name: 'a namespace of 50000 characters', packets: [`40/${'n'.repeat(50_000)},`], expect: ALIVE, replies: [`44/${'n'.repeat(50_000)},${INVALID_NAMESPACE}`] },
  { name: 'a namespace without a slash', packets: ['40chat,'], expect: CLOSED },
  { name: 'an event for a namespace that was not joined', packets: ['42/chat,["echo",1]'], expect: CLOSED },
  { name: 'an event for an unknown namespace', packets: ['42/nope,["echo",1]'], expect: CLOSED },
  { name: 'an acknowledgement for a namespace that was not joined', packets: ['43/chat,1["x"]'], expect: CLOSED },
  { name: 'an event after a refused CONNECT', packets: ['40/deny,', '42/deny,["echo",1]'], expect: CLOSED },

  // Attachments.
  { name: 'a binary event without a count', packets: ['45["echo",1]'], expect: CLOSED },
  { name: 'a binary event without a dash', packets: ['451["echo",1]'], expect: CLOSED },
  { name: 'a binary event without anything', packets: ['45'], expect: CLOSED },
  { name: 'a binary event of no attachment', packets: ['450-["echo",1]'], expect: CLOSED },
  { name: 'a binary event of a fractional count', packets: ['451.5-["echo",1]'], expect: CLOSED },
  { name: 'a binary event of a negative count', packets: ['45-1-["echo",1]'], expect: CLOSED },
  { name: 'a binary event of 11 attachments', packets: [`4511-["echo",${placeholder(0)}]`], expect: CLOSED },
  { name: 'a binary event of 10 to the 20 attachments', packets: [`45100000000000000000000-["echo",${placeholder(0)}]`], expect: CLOSED },
  { name: 'a binary acknowledgement of no attachment', packets: ['460-1["x"]'], expect: CLOSED },
  { name: 'a binary event that is an object', packets: ['451-{}'], expect: CLOSED },
  { name: 'a binary event with a reserved name', packets: [`451-["disconnect",${placeholder(0)}]`], expect: CLOSED },
  { name: 'binary without a header', packets: [bytes], expect: CLOSED },
  { name: 'binary after the last attachment', packets: [`451-["nobody",${placeholder(0)}]`, bytes, bytes], expect: CLOSED },
  { name: 'text while an attachment is awaited', packets: [`451-["echo",${placeholder(0)}]`, '42["echo",1]'], expect: CLOSED },
  { name: 'text between two attachments', packets: [`452-["echo",${placeholder(0)},${placeholder(1)}]`, bytes, '42["echo",1]'], expect: CLOSED },
  { name: 'DISCONNECT while an attachment is awaited', packets: [`451-["echo",${placeholder(0)}]`, '41'], expect: CLOSED },
  { name: 'a placeholder beyond the last attachment', packets: [`451-["echo",${placeholder(1)}]`, bytes], expect: CLOSED },
  { name: 'a placeholder beyond the last attachment, where nobody reads it', packets: [`451-["binary-info",1,[${placeholder(1)}]]`, bytes], expect: CLOSED },
  { name: 'a placeholder beyond the last attachment, behind an argument of another type', packets: [`451-["binary-gen",true,${placeholder(1)}]`, bytes], expect: CLOSED },
  { name: 'a placeholder with a negative number', packets: [`451-["echo",${placeholder(-1)}]`, bytes], expect: CLOSED },
  { name: 'a placeholder with a string for a number', packets: [`451-["echo",${placeholder('"0"')}]`, bytes], expect: CLOSED },
  { name: 'a placeholder without a number', packets: ['451-["echo",{"_placeholder":true}]', bytes], expect: CLOSED },
  { name: 'a placeholder with a fractional number', packets: [`451-["echo-ack",${placeholder(0.5)}]`, bytes], expect: EITHER },
  { name: 'a placeholder used twice', packets: [`451-["binary-info",${placeholder(0)},${placeholder(0)}]`, bytes], expect: ALIVE, replies: [] },
  { name: 'an attachment that is not used', packets: ['451-["echo","unused"]', bytes], expect: ALIVE, replies: ['42["echo-back","unused"]'] },
  { name: 'an attachment that is empty', packets: [`451-["echo",${placeholder(0)}]`, Buffer.alloc(0)], expect: ALIVE, replies: [`451-["echo-back",${placeholder(0)}]`, 'b'] },
  { name: 'placeholders in the wrong order', packets: [`452-["echo",${placeholder(1)},${placeholder(0)}]`, Buffer.from([0]), Buffer.from([1])], expect: ALIVE, replies: [`452-["echo-back",${placeholder(0)},${placeholder(1)}]`, 'bAQ==', 'bAA=='] },
  { name: 'a placeholder in a plain event', packets: [`42["echo",${placeholder(0)}]`], expect: ALIVE, replies: [`42["echo-back",${placeholder(0)}]`] },
  { name: 'a binary acknowledgement that nobody asked for', packets: [`461-99[${placeholder(0)}]`, bytes], expect: ALIVE, replies: [] },
  { name: 'a binary event for a namespace that was not joined', packets: [`451-/chat,["echo",${placeholder(0)}]`, bytes], expect: CLOSED },

  // Before any CONNECT.
  { name: 'an event before CONNECT', joined: false, packets: ['42["echo",1]'], expect: CLOSED },
  { name: 'an event without a payload before CONNECT', joined: false, packets: ['42'], expect: CLOSED },
  { name: 'an acknowledgement before CONNECT', joined: false, packets: ['431["x"]'], expect: CLOSED },
  { name: 'a binary event before CONNECT', joined: false, packets: [`451-["echo",${placeholder(0)}]`, bytes], expect: CLOSED },
  { name: 'DISCONNECT before CONNECT', joined: false, packets: ['41'], expect: CLOSED },
  { name: 'CONNECT_ERROR before CONNECT', joined: false, packets: ['44{"message":"x"}'], expect: CLOSED },
  { name: 'binary before CONNECT', joined: false, packets: [bytes], expect: CLOSED },
  { name: 'a CONNECT with an array first', joined: false, packets: ['40[]'], expect: CLOSED },
  { name: 'a CONNECT with a string first', joined: false, packets: ['40"x"'], expect: CLOSED },
  { name: 'a CONNECT that is refused first', joined: false, packets: ['40/nope,'], expect: ALIVE, replies: [`44/nope,${INVALID_NAMESPACE}`] },
];

for (const Session of [PollingSession, WebSocketSession]) {
  for (const row of PACKETS.filter((row) => expectation(row) !== CRASH)) {
    beside(`packet: ${row.name} (${Session.transport})`, async (t) => {
      const session = await Session.open(t, suite.port);
      if (row.joined !== false) await session.connect();
      await session.send(...row.packets);
      const outcome = expectation(row);
      const end = await checkOutcome(session, outcome, row);
      if (outcome !== CLOSED) return;
      // Both transports say good-bye: with a close packet, or with a close frame without a code.
      if (Session === PollingSession) assert.ok(end.announced, 'the close was not announced');
      else assert.equal(end.code, 1005);
    });
  }

  beside(`packet: an event for a namespace that the server just ended (${Session.transport})`, async (t) => {
    // It may have been on its way when the server sent DISCONNECT: no reason to end the others.
    const row = { expect: ALIVE, reference: CLOSED };
    const session = await Session.open(t, suite.port);
    await session.connect();
    await session.connect('/chat');
    await session.send('42/chat,["disconnect-me",false]');
    assert.equal(await session.packet(), '41/chat,');
    await session.send('42/chat,["echo","late"]');
    await checkOutcome(session, expectation(row), { replies: [] });
  });

  beside(`packet: an event for a namespace that the client just left (${Session.transport})`, async (t) => {
    const row = { expect: EITHER, reference: CLOSED };
    const session = await Session.open(t, suite.port);
    await session.connect();
    await session.connect('/chat');
    await session.send('41/chat,');
    await session.send('42/chat,["echo","late"]');
    await checkOutcome(session, expectation(row));
  });

  beside(`packet: a namespace is left and joined again (${Session.transport})`, async (t) => {
    const session = await Session.open(t, suite.port);
    const first = await session.connect();
    await session.send('41');
    const second = await session.connect();
    assert.notEqual(first, second);
    await checkOutcome(session, ALIVE, { replies: [] });
  });

  beside(`packet: one acknowledgement twice (${Session.transport})`, async (t) => {
    const session = await Session.open(t, suite.port);
    await session.connect();
    await session.send('42["ask","?"]');
    const question = await session.packet();
    const [, id] = /^42(\d+)\["question","\?"\]$/.exec(question);
    await session.send(`43${id}["first"]`);
    await session.send(`43${id}["second"]`);
    await checkOutcome(session, ALIVE, { replies: ['42["answer","first"]'] });
  });
}
