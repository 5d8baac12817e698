// The example `binary_upload` on the official package, so that its suite can be proven against the original.

import { createHash } from 'node:crypto';
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { Server } from 'socket.io';

const CHUNK = 64 * 1024;
const MAX_SIZE = 2 ** 30;
const http = createServer();
const io = new Server(http, { maxHttpBufferSize: 2 * CHUNK });

io.on('connection', (socket) => {
  let upload = null;
  const drop = () => {
    if (!upload) return;
    closeSync(upload.file);
    rmSync(upload.path);
    upload = null;
  };
  const refuse = (ack, message) => {
    drop();
    ack({ message });
  };
  socket.on('disconnect', drop);
  socket.on('start', ({ name, size }, ack) => {
    if (typeof size !== 'number') return refuse(ack, 'size is missing');
    if (size > MAX_SIZE) return refuse(ack, `too large: ${size}`);
    drop();
    const path = join(process.env.UPLOADS, `${socket.id}-${name.replace(/[^a-z0-9.-]/gi, '').slice(0, 100)}`);
    upload = { path, file: openSync(path, 'w'), sum: createHash('sha256'), size, received: 0 };
    ack({ chunk: CHUNK, window: 4 });
  });
  socket.on('chunk', (data, ack) => {
    if (!upload) return refuse(ack, 'no file was begun');
    const before = upload.received;
    if (data.length > CHUNK || before + data.length > upload.size) return refuse(ack, 'more than was announced');
    writeSync(upload.file, data);
    upload.sum.update(data);
    upload.received += data.length;
    const { received, size } = upload;
    if (Math.floor((received * 10) / size) > Math.floor((before * 10) / size)) socket.emit('progress', { received, size });
    ack(received);
  });
  socket.on('finish', (expected, ack) => {
    if (!upload) return refuse(ack, 'no file was begun');
    const { path, received, size } = upload;
    if (received < size) return refuse(ack, `incomplete: ${received} < ${size} bytes`);
    if (upload.sum.digest('hex') !== expected) return refuse(ack, 'the checksum is another one');
    closeSync(upload.file);
    upload = null;
    ack(path);
  });
});

http.listen(Number(process.env.PORT), '127.0.0.1');
process.on('SIGTERM', () => process.exit(0));
