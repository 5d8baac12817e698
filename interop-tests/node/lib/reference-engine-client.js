// The official Engine.IO client with the commands of `engine_client`, to prove the suite.

import { createInterface } from 'node:readline';
import { Socket } from 'engine.io-client';

const say = (event) => process.stdout.write(JSON.stringify(event) + '\n');
let socket = null;

createInterface({ input: process.stdin }).on('line', (line) => {
  const command = JSON.parse(line);
  if (command === 'close') socket.close();
  else if (command.send) for (const data of command.send) socket.send(Array.isArray(data) ? Buffer.from(data) : data);
  else connect(command.connect);
});

function connect({ url, cookies, deflate, headers = [], ...options }) {
  let open = false;
  const own = new Socket(url, {
    transports: ['polling', 'websocket'],
    ...options,
    withCredentials: cookies === 'connection',
    perMessageDeflate: deflate ? { threshold: 1024 } : false,
    extraHeaders: Object.fromEntries(headers),
  });
  socket = own;
  own.on('open', () => {
    open = true;
    say({ event: 'open', transport: own.transport.name, sid: own.id, maxPayload: own._maxPayload });
  });
  own.on('upgrade', (transport) => say({ event: 'upgrade', transport: transport.name }));
  own.on('message', (data) => {
    if (typeof data === 'string') say({ event: 'text', data });
    else say({ event: 'binary', data: [...new Uint8Array(data)] });
  });
  own.on('error', (error) => {
    if (!open) say({ event: 'error', cause: cause(error) });
  });
  own.on('close', (reason, details) => {
    if (open) say({ event: 'close', reason, cause: details ? cause(details) : null });
  });
}

function cause(details) {
  const { description, context } = details;
  const told = { text: details.message ?? description };
  if (typeof description === 'number') {
    told.status = description;
    try {
      Object.assign(told, JSON.parse(context.responseText));
    } catch {
      // No body of Engine.IO.
    }
  }
  if (context?.code) told.code = context.code;
  return told;
}
