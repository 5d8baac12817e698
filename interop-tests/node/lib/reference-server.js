// The server program of the contract on the official packages, so that the suites can be proven
// against the original. `MODE` and `PORT` come from the environment.

import { createServer } from 'node:http';
import { Server as EngineServer } from 'engine.io';
import { Server } from 'socket.io';
import * as msgpack from 'socket.io-msgpack-parser';

const { MODE = 'contract', PORT, PARSER, CSR, PING_INTERVAL, PING_TIMEOUT } = process.env;
/** Of the modes of the protocols. */
const pingInterval = Number(PING_INTERVAL ?? 300);
const pingTimeout = Number(PING_TIMEOUT ?? 200);

/** As the Rust server does it; otherwise the threshold would count for nothing. */
const perMessageDeflate = { threshold: 1024, serverNoContextTakeover: true, clientNoContextTakeover: true };

const modes = {
  contract,
  'eio-protocol': engineProtocol,
  'sio-protocol': socketProtocol,
  'eio-client': engineClient,
  'sio-client': socketClient,
  http: httpRich,
  'http-plain': httpPlain,
  close: closing,
  'event-middleware': eventMiddleware,
  grants,
  flow,
  'deflate-engine': deflateEngine,
  'deflate-sockets': deflateSockets,
  observing,
  recovery: recoveryCareful,
  'recovery-short': recoveryShort,
  operators,
};

if (!modes[MODE]) {
  console.error(`unknown mode: ${MODE}`);
  process.exit(2);
}

const http = createServer((request, response) => {
  response.writeHead(404);
  response.end();
});
modes[MODE](http);
http.listen(Number(PORT), '127.0.0.1');

process.on('SIGTERM', () => process.exit(0));

function flow(server) {
  const io = new Server(server);
  const left = [];
  io.on('connection', (socket) => {
    socket.on('disconnect', (reason) => left.push([socket.id, reason]));
    socket.on('left', (answer) => answer(left));
    socket.on('tick', (n, size, answer) => {
      answer(io.of('/').sockets.size, []);
      io.emit('tick', n, 'x'.repeat(size));
    });
    socket.on('kick', (id, answer) => {
      const other = io.of('/').sockets.get(id);
      other.disconnect();
      answer(other.connected);
    });
  });
}

function engineProtocol(server) {
  const engine = new EngineServer({ pingInterval, pingTimeout, maxHttpBufferSize: 1e6 });
  engine.attach(server, { path: '/engine.io' });
  engine.on('connection', (socket) => {
    socket.on('message', (data) => socket.send(data));
  });
}

function socketProtocol(server) {
  const io = new Server(server, {
    pingInterval,
    pingTimeout,
    maxHttpBufferSize: 1e6,
    connectTimeout: 1000,
  });
  const serve = (socket) => {
    socket.emit('auth', socket.handshake.auth);
    socket.on('message', (...args) => socket.emit('message-back', ...args));
    socket.on('message-with-ack', (...args) => args.pop()(...args));
  };
  io.on('connection', serve);
  io.of('/custom').on('connection', serve);
}

function engineClient(server) {
  const engine = new EngineServer({
    pingInterval: 500,
    maxHttpBufferSize: 100,
    allowRequest: (request, decide) => {
      const query = new URL(request.url, 'http://localhost').searchParams;
      decide(null, !query.has('deny'));
    },
  });
  engine.attach(server, { path: '/engine.io' });
  engine.on('initial_headers', (headers) => {
    headers['set-cookie'] = [
      '1=1; Max-Age=86400',
      '2=2; Path=/; HttpOnly; Secure; SameSite=Strict',
      '3=3; Max-Age=0',
      `4=4; Expires=${new Date().toUTCString()}`,
    ];
  });
  engine.on('connection', (socket) => {
    socket.send('hi');
    socket.on('message', (data) => {
      if (data === 'give binary') {
        socket.send(Buffer.from([0, 1, 2, 3, 4]));
      } else if (data === 'give utf8') {
        socket.send('пойду спать всем спокойной ночи');
      } else if (data === 'sendHeaders') {
        const carrier = socket.transport.dataReq ?? socket.request;
        socket.send(JSON.stringify(carrier.headers));
      } else {
        socket.send(data);
      }
    });
  });
}

function socketClient(server) {
  const io = new Server(server, {
    pingInterval: 2000,
    connectionStateRecovery: {},
    allowRequest: (request, decide) => setTimeout(decide, 10, null, true),
  });
  for (const name of ['/timeout_socket', '/valid', '/asd']) io.of(name);
  const identify = (socket) => socket.on('getId', (ack) => ack(socket.id));
  io.of('/foo').on('connection', identify);
  io.of('/abc').on('connection', (socket) => socket.emit('handshake', socket.handshake));
  io.of('/no').use((socket, next) => next(refusal('Auth failed (custom namespace)')));
  io.use((socket, next) => next(socket.handshake.query.fail ? refusal('Auth failed (main namespace)') : undefined));
  io.on('connection', (socket) => {
    const answers = {
      hi: () => [],
      false: () => [false],
      doge: () => [Buffer.from('asdfasdf')],
    };
    for (const [event, answer] of Object.entries(answers)) socket.on(event, () => socket.emit(event, ...answer()));
    socket.on('echo', (value, ack) => ack(value));
    socket.on('ack', () => {
      socket.emit('ack', (number, object) => {
        if (number === 5 && object?.test) socket.emit('got it');
      });
    });
    socket.on('getAckDate', (data, ack) => ack(new Date()));
    socket.on('getDate', () => socket.emit('takeDate', new Date()));
    socket.on('getDateObj', () => socket.emit('takeDateObj', { date: new Date() }));
    socket.on('getUtf8', () => {
      const texts = ['てすと', 'Я Б Г Д Ж Й', 'Ä ä Ü ü ß', 'utf8 — string', 'utf8 — string'];
      for (const text of texts) socket.emit('takeUtf8', text);
    });
    socket.on('getbin', () => socket.emit('takebin', Buffer.from('asdfasdf')));
    socket.on('buffa', (data) => Buffer.isBuffer(data) && socket.emit('buffack'));
    socket.on('jsonbuff', ({ hello, message, goodbye }) => {
      if (hello === 'lol' && Buffer.isBuffer(message) && goodbye === 'gotcha') socket.emit('jsonbuff-ack');
    });
    let uploaded = false;
    socket.on('abuff1', (data) => (uploaded ||= Buffer.isBuffer(data)));
    socket.on('abuff2', () => uploaded && socket.emit('abuff2-ack'));
    socket.on('getHandshake', (ack) => ack(socket.handshake));
    identify(socket);
  });
}

function httpRich(server) {
  const io = new Server(server, {
    cors: {
      origin: [/^https:\/\/app\.example$/, /\.app\.example$/],
      credentials: true,
      methods: ['GET', 'POST'],
      exposedHeaders: ['x-every'],
      maxAge: 600,
    },
    cookie: { name: 'sticky', path: '/socket.io/', maxAge: 3600, secure: true, sameSite: 'none' },
  });
  io.engine.on('initial_headers', (headers) => (headers['x-initial'] = '1'));
  io.engine.on('headers', (headers) => (headers['x-every'] = '1'));
  serveHttp(io);
}

function httpPlain(server) {
  serveHttp(new Server(server, { httpCompression: false, serveClient: false, addTrailingSlash: false }));
}

function closing(server) {
  const io = new Server(server);
  for (const name of ['/', '/other']) {
    io.of(name).on('connection', (socket) => {
      socket.on('close', () => setTimeout(() => io.close(), 300));
      socket.on('disconnect', (reason) => console.log(reason));
    });
  }
}

function serveHttp(io) {
  io.on('connection', (socket) => {
    socket.on('echo', (text, ack) => ack(text));
    socket.on('version', (ack) => ack(`HTTP/${socket.request.httpVersion}`));
  });
}

function deflateEngine(server) {
  const engine = new EngineServer({ maxHttpBufferSize: 1e5, perMessageDeflate });
  engine.attach(server, { path: '/engine.io' });
  engine.on('connection', (socket) => {
    socket.on('message', (data) => socket.send(data, { compress: !String(data).startsWith('plain:') }));
  });
}

function deflateSockets(server) {
  const io = new Server(server, { perMessageDeflate });
  io.on('connection', (socket) => {
    socket.on('echo', (value, ack) => ack(value));
    socket.on('everybody', (value) => io.emit('news', value));
    socket.on('everybody-plain', (value) => io.compress(false).emit('news', value));
    socket.on('me-plain', (value) => socket.compress(false).emit('news', value));
  });
}

function operators(server) {
  const io = new Server(server, PARSER === 'msgpack' ? { parser: msgpack.default ?? msgpack } : {});
  io.of('/other');
  const changes = [];
  const rooms = io.of('/rooms');
  for (const what of ['create-room', 'join-room', 'leave-room', 'delete-room']) {
    rooms.adapter.on(what, (room, id = '') => changes.push([what, room, id]));
  }
  rooms.on('connection', (socket) => {
    socket.on('join', (names, ack) => {
      socket.join(names);
      ack(true);
    });
    socket.on('leave', (room, ack) => {
      socket.leave(room);
      ack(true);
    });
  });

  const all = ({ rooms = [], except = [] }) => io.to(rooms).except(except);
  io.on('connection', (socket) => {
    socket.on('room-changes', (ack) => ack(changes.splice(0)));
    socket.on('name', (name, ack) => {
      socket.data.name = name;
      ack(true);
    });
    socket.on('find', async (choice, ack) => {
      const found = await all(choice).fetchSockets();
      ack(
        found.map(({ id, rooms, data, handshake }) => ({
          id,
          rooms: [...rooms].sort(),
          data: { name: data.name ?? null },
          transport: handshake.query.transport,
        })),
      );
    });
    socket.on('sockets-join', (choice, names, ack) => {
      all(choice).socketsJoin(names);
      ack(true);
    });
    socket.on('sockets-leave', (choice, names, ack) => {
      all(choice).socketsLeave(names);
      ack(true);
    });
    socket.on('sockets-disconnect', (choice, close) => all(choice).disconnectSockets(close));
    socket.on('ask-one', async (id, question, ack) => {
      const [found] = await io.to(id).fetchSockets();
      found.timeout(10_000).emit('question', question, (error, answer) => ack(error ?? answer));
    });

    const told = [];
    socket.on('watch-outgoing', (ack) => {
      socket.onAnyOutgoing((...event) => told.push(event));
      ack(true);
    });
    socket.on('outgoing', (ack) => ack(told.splice(0)));
    socket.on('ignore-outgoing', (ack) => {
      socket.offAnyOutgoing();
      ack(true);
    });
    socket.on('send-me', (...args) => {
      const ack = args.pop();
      socket.emit('sent', ...args);
      io.emit('sent-all', ...args);
      ack(true);
    });
    socket.on('volatile-pair', (data) => {
      for (const n of [1, 2]) socket.volatile.emit('v', n, data, data);
      socket.emit('v-done');
    });
    socket.on('listen', (event, once, ack) => {
      socket[once ? 'once' : 'on'](event, (...args) => args.pop()(...args));
      ack(true);
    });
    socket.on('unlisten', (event, ack) => {
      socket.removeAllListeners(event);
      ack(true);
    });
    socket.on('sum', (count, ack) => {
      let sum = 0;
      socket.on('number', function add(n) {
        sum += n;
        if (--count > 0) return;
        socket.off('number', add);
        ack(sum);
      });
      socket.emit('listening');
    });
  });
}

function observing(server) {
  const io = new Server(server, {
    allowRequest: (request, decide) => {
      const stranger = 'x-stranger' in request.headers;
      decide(stranger ? 'no strangers' : null, !stranger);
    },
  });
  let refused = [];
  const numbers = { opened: 0, upgraded: 0, packets_in: 0 };
  io.engine.on('connection_error', ({ code, message, context }) => {
    // What the check of requests said is in the context, and is what the client gets.
    refused.push([code, context?.message ?? message, context?.name ?? null]);
  });
  io.engine.on('connection', (socket) => {
    numbers.opened++;
    socket.on('upgrade', () => numbers.upgraded++);
    socket.on('packet', () => numbers.packets_in++);
  });
  const over = (name) => Object.values(io.engine.clients).filter((client) => client.transport.name === name).length;
  io.on('connection', (socket) => {
    socket.on('echo', (value, ack) => ack(value));
    socket.on('refused', (ack) => {
      ack(refused);
      refused = [];
    });
    socket.on('numbers', (ack) => ack({ ...numbers, polling: over('polling'), websocket: over('websocket') }));
  });
}

function eventMiddleware(server) {
  const io = new Server(server);
  let errors = 0;
  io.on('connection', (socket) => {
    socket.use(([event, delay], next) => {
      if (event === 'forbidden') next(refusal('forbidden', { code: 1 }));
      else if (event === 'slow') setTimeout(next, delay);
      else next();
    });
    socket.on('error', () => errors++);
    for (const event of ['slow', 'fast', 'forbidden']) {
      socket.on(event, (...args) => {
        socket.emit('seen', event);
        if (typeof args.at(-1) === 'function') args.pop()(...args);
      });
    }
    socket.on('errors', (...args) => args.at(-1)(errors));
  });
}

/** What the original leaves to the program: a timer for each socket that ends it. */
function grants(server) {
  const asks = (request, what) => new URL(request.url, 'http://localhost').searchParams.has(what);
  const io = new Server(server, {
    allowRequest: (request, decide) => (asks(request, 'deny') ? decide('denied', false) : decide(null, true)),
  });
  io.engine.use((request, response, next) => {
    const stays = request.headers.upgrade && asks(request, 'sid') && asks(request, 'stay');
    next(stays ? new Error('stay') : undefined);
  });
  const left = [];
  for (const name of ['/', '/other']) {
    io.of(name).use((socket, next) => {
      next(socket.handshake.auth.good <= 0 ? refusal('authorization expired') : undefined);
    });
    io.of(name).on('connection', (socket) => {
      let timer;
      let expired = false;
      const authorize = ({ good }) => {
        clearTimeout(timer);
        if (good === undefined) return;
        timer = setTimeout(() => {
          expired = true;
          socket.emit('expired', name);
          socket.disconnect();
        }, good);
      };
      authorize(socket.handshake.auth);
      socket.on('renew', (token, ack) => {
        authorize(token);
        ack('renewed');
      });
      socket.on('echo', (...args) => args.pop()(...args));
      socket.on('join', (ack) => {
        socket.join('room');
        ack();
      });
      socket.on('tell', (...args) => {
        const ack = args.pop();
        socket.nsp.to('room').emit('told', ...args);
        ack();
      });
      socket.on('reasons', (ack) => ack(left));
      socket.on('disconnect', (reason) => {
        clearTimeout(timer);
        left.push(`${socket.id} ${expired ? 'authorization expired' : reason}`);
      });
    });
  }
}

function recoveryCareful(server) {
  const io = serveRecovery(server, { skipMiddlewares: false });
  let waiting = [];
  io.use((socket, next) => {
    const { wait, no } = socket.handshake.auth;
    const decide = () => next(no ? refusal('no') : undefined);
    if (wait) waiting.push(decide);
    else decide();
  });
  io.on('connection', (socket) => {
    socket.on('waiting', (ack) => ack(waiting.length));
    socket.on('open', () => {
      waiting.forEach((decide) => decide());
      waiting = [];
    });
  });
}

function recoveryShort(server) {
  serveRecovery(server, { maxDisconnectionDuration: 300, skipMiddlewares: true });
}

function serveRecovery(server, connectionStateRecovery) {
  const io = new Server(server, { connectionStateRecovery: { maxDisconnectionDuration: 120_000, ...connectionStateRecovery } });
  io.on('connection', (socket) => {
    socket.data.number = (socket.data.number ?? 0) + 1;
    if (!socket.recovered) socket.join('room');
    socket.emit('hello', socket.recovered, socket.data.number);
    const withAck = (event, handler) => {
      socket.on(event, async (...args) => {
        const ack = typeof args.at(-1) === 'function' ? args.pop() : () => {};
        ack(await handler(...args));
      });
    };
    withAck('say', (...args) => void io.to('room').emit('said', ...args));
    withAck('say-volatile', (text) => void io.to('room').volatile.emit('said', text));
    withAck('ask', async (text) => {
      const answers = await io.to('room').timeout(100).emitWithAck('asked', text).catch(({ responses }) => responses);
      return answers?.length ?? 0;
    });
    withAck('here', () => io.of('/').sockets.size);
  });
  return io;
}

function contract(server) {
  const io = new Server(server, {
    path: '/socket.io/',
    transports: ['polling', 'websocket'],
    pingInterval: 1000,
    pingTimeout: 4000,
    maxHttpBufferSize: 1e6,
    connectTimeout: 2000,
    upgradeTimeout: 2000,
    allowEIO3: true,
    ...(PARSER === 'msgpack' ? { parser: msgpack.default ?? msgpack } : {}),
    ...(CSR === '1' ? { connectionStateRecovery: { maxDisconnectionDuration: 60_000 } } : {}),
  });

  const reasons = new Map();
  for (const name of ['/', '/chat', /^\/dyn-[0-9]+$/, '/auth', '/deny']) {
    io.of(name).on('connection', (socket) => serveContract(socket, reasons));
  }
  io.of('/auth').use((socket, next) => {
    const token = socket.handshake.auth.token ?? socket.handshake.query.token;
    next(token === 'secret' ? undefined : refusal('unauthorized', { code: 401 }));
  });
  io.of('/deny').use((socket, next) => {
    next(refusal('denied', { code: 4031, reason: 'nope', list: [1, 2] }));
  });
}

function refusal(message, data) {
  return Object.assign(new Error(message), { data });
}

function serveContract(socket, reasons) {
  const nsp = socket.nsp;
  let received = 0;
  let ordered = true;

  // An event that asks for an acknowledgement works without one, too.
  const withAck = (event, handler) => {
    socket.on(event, (...args) => {
      const ack = typeof args.at(-1) === 'function' ? args.pop() : () => {};
      handler(args, ack);
    });
  };

  socket.on('disconnect', (reason) => reasons.set(`${nsp.name} ${socket.id}`, reason));

  socket.emit('welcome', {
    nsp: nsp.name,
    sid: socket.id,
    transport: socket.conn.transport.name,
    eio: socket.conn.protocol,
  });

  withAck('echo', (args) => socket.emit('echo-back', ...args));
  withAck('echo-ack', (args, ack) => ack(...args));
  withAck('emit-back', ([name, ...args]) => socket.emit(name, ...args));
  withAck('ask', (args) => {
    socket.emit('question', ...args, (...answer) => socket.emit('answer', ...answer));
  });
  withAck('ask-timeout', ([ms]) => {
    socket.timeout(ms).emit('question', 'timeout', (error, ...answer) => {
      if (error) socket.emit('answer-timeout');
      else socket.emit('answer', ...answer);
    });
  });

  withAck('join', ([room], ack) => {
    socket.join(room);
    ack('ok');
  });
  withAck('leave', ([room], ack) => {
    socket.leave(room);
    ack('ok');
  });
  withAck('rooms', (args, ack) => ack([...socket.rooms].filter((room) => room !== socket.id).sort()));
  withAck('emit-to', ([{ scope, rooms, except, ev, args }]) => {
    const target = scope === 'socket' ? socket.broadcast : nsp;
    target.to(rooms).except(except).emit(ev, ...args);
  });
  withAck('ask-room', ([room, ms, value], ack) => {
    nsp.to(room).timeout(ms).emit('question', value, (error, responses) => {
      ack({ err: Boolean(error), responses });
    });
  });
  withAck('disconnect-me', ([close]) => socket.disconnect(close));

  withAck('burst', ([n]) => {
    for (let i = 0; i < n; i++) socket.emit('seq', i);
    socket.emit('seq-done', n);
  });
  withAck('seq-in', ([i]) => {
    if (i !== received) ordered = false;
    received++;
  });
  withAck('seq-report', (args, ack) => {
    ack({ count: received, ordered });
    received = 0;
    ordered = true;
  });
  withAck('volatile-burst', ([n]) => {
    for (let i = 0; i < n; i++) socket.volatile.emit('v', i);
    socket.emit('v-done', n);
  });

  withAck('binary-gen', ([n]) => socket.emit('binary', Buffer.alloc(n).map((_, i) => i % 256)));
  withAck('binary-info', ([bytes], ack) => {
    if (!Buffer.isBuffer(bytes)) return ack({ len: -1, sum: 0 });
    let sum = 0;
    for (const byte of bytes) sum = (sum + byte) >>> 0;
    ack({ len: bytes.length, sum });
  });
  withAck('big', ([n]) => socket.emit('big', 'x'.repeat(n)));

  withAck('whoami', (args, ack) => {
    ack({
      sid: socket.id,
      nsp: nsp.name,
      auth: socket.handshake.auth,
      query: { ...socket.handshake.query },
      xtest: socket.handshake.headers['x-test'] ?? null,
      transport: socket.conn.transport.name,
      eio: socket.conn.protocol,
    });
  });
  withAck('late', ([ms], ack) => setTimeout(() => ack('late'), ms));
  withAck('count', (args, ack) => ack(nsp.sockets.size));
  withAck('reason', ([sid], ack) => ack(reasons.get(`${nsp.name} ${sid}`) ?? null));
}
