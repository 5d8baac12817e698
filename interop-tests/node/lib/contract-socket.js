// A handle to one socket of the client program, for suites that have much to say to it. Binary values are Buffers here.

/** Connects a socket; sockets that name the same manager share one connection. */
export function openSocket(client, sock = 'a', { auth, ...options } = {}) {
  client.open(sock, auth === undefined ? options : { ...options, auth: pack(auth) });
  return new ContractSocket(client, sock);
}

/** What happened from that observation on, one word each: `a:connect`, `reconnect_attempt:1`, `a:disconnect:io server disconnect`. No events and acks. */
export function story(client, since = 0) {
  const told = client.seen.slice(since).filter(({ e }) => !['sync', 'event', 'ack', 'ack-error', 'upgrade'].includes(e));
  return told.map(({ sock, e, n, reason }) => [sock, e, n ?? reason].filter((word) => word !== undefined).join(':'));
}

let tags = 0;

class ContractSocket {
  constructor(client, sock) {
    this.client = client;
    this.sock = sock;
  }

  #command(cmd, more = {}) {
    this.client.command({ cmd, sock: this.sock, ...more });
  }

  emit(ev, ...args) {
    this.#command('emit', { ev, args: pack(args) });
  }

  volatile(ev, ...args) {
    this.#command('volatile', { ev, args: pack(args) });
  }

  /** Emits with an acknowledgement; resolves to its arguments, or to `null` if there will be none. */
  ask(ev, ...args) {
    return this.askWithin(undefined, ev, ...args);
  }

  async askWithin(timeout, ev, ...args) {
    const tag = `ask-${++tags}`;
    this.#command('emit-ack', { ev, args: pack(args), tag, timeout });
    const line = await this.client.nextThat((line) => line.tag === tag, `acknowledgement of "${ev}"`);
    return line.e === 'ack' ? unpack(line.args) : null;
  }

  connect() {
    this.#command('connect');
  }

  disconnect() {
    this.#command('disconnect');
  }

  authenticate(auth) {
    this.#command('auth', { auth });
  }

  /** Takes the next observation of that kind. */
  next(e, ms) {
    return this.client.next(e, { sock: this.sock }, ms);
  }

  connected(ms) {
    return this.next('connect', ms);
  }

  /** Resolves to the reason. */
  async disconnected(ms) {
    return (await this.next('disconnect', ms)).reason;
  }

  /** Takes the next event of that name; resolves to its arguments. */
  async event(ev, ms) {
    return unpack((await this.client.next('event', { sock: this.sock, ev }, ms)).args);
  }

  /** The arguments of all events of that name, taken or not. */
  received(ev) {
    const told = this.client.seen.filter((line) => line.sock === this.sock && line.e === 'event' && line.ev === ev);
    return told.map(({ args }) => unpack(args));
  }
}

/** Binary values travel as `{"$bin": base64}`. */
export function pack(value) {
  if (value instanceof Uint8Array) return { $bin: Buffer.from(value).toString('base64') };
  if (Array.isArray(value)) return value.map(pack);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, pack(item)]));
}

function unpack(value) {
  if (Array.isArray(value)) return value.map(unpack);
  if (value === null || typeof value !== 'object') return value;
  if (typeof value.$bin === 'string') return Buffer.from(value.$bin, 'base64');
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, unpack(item)]));
}
