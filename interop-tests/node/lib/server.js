// Starts the server program under test as a child process and stops it.
//
// INTEROP_SERVER is the path of the program, or `reference` for the official packages.

import { spawn } from 'node:child_process';
import { connect, createServer } from 'node:net';
import { dirname, join, resolve as resolvePath } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pause, within } from './deadline.js';

const START_DEADLINE = 15_000;
const START_ATTEMPTS = 3;

export const isReference = process.env.INTEROP_SERVER === 'reference';

const running = new Set();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** The servers of this process, for the report of a failed test. */
const servers = new Set();

/** What the servers wrote to standard error since the last call. */
export function takeServerErrors() {
  let text = '';
  for (const server of servers) {
    if (server.stderr) text += `--- standard error of the server on port ${server.port}\n${server.stderr}\n`;
    server.stderr = '';
  }
  return text;
}

/**
 * Starts a server in `mode` on a free port of the loopback interface. `program` is the name of another
 * program of the same folder, where the reference has one for all modes, or a whole command.
 */
export async function startServer({ mode = 'contract', program, env = {}, port } = {}) {
  const server = new ServerProcess(mode, program, env);
  if (port !== undefined) {
    await server.start(port);
    return server;
  }
  // Somebody else may take the free port before the program binds it.
  for (let attempt = 1; ; attempt++) {
    try {
      await server.start(await freePort());
      return server;
    } catch (error) {
      if (attempt === START_ATTEMPTS) throw error;
    }
  }
}

class ServerProcess {
  constructor(mode, program, env) {
    this.mode = mode;
    this.program = program;
    this.env = env;
    this.stdout = '';
    this.stderr = '';
    this.child = null;
    this.port = 0;
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  async start(port) {
    const [program, ...args] = Array.isArray(this.program) ? this.program : command(this.program);
    this.port = port;
    const child = spawn(program, args, {
      env: { ...process.env, ...this.env, MODE: this.mode, PORT: String(port) },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child = child;
    this.exited = new Promise((resolve) => {
      child.once('error', (error) => resolve(error.message));
      // Not "exit": what it has written is to be there.
      child.once('close', (code, signal) => resolve(`exit ${signal ?? code}`));
    });
    child.stdout.setEncoding('utf8').on('data', (text) => (this.stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text) => (this.stderr += text));
    running.add(child);
    servers.add(this);
    this.exited.then(() => running.delete(child));

    let ended = null;
    this.exited.then((how) => (ended = how));
    const deadline = Date.now() + START_DEADLINE;
    while (!(await accepts(port))) {
      if (ended || Date.now() > deadline) {
        await this.kill();
        throw new Error(`the server does not listen on port ${port} (${ended ?? 'still starting'})\n${this.stderr}`);
      }
      await pause(15);
    }
    // A foreign listener on the port would look like success.
    if (ended) throw new Error(`the server ended at start (${ended})\n${this.stderr}`);
  }

  /** Ends the program at once, without a chance to say good-bye to its clients. */
  async kill() {
    this.child.kill('SIGKILL');
    await within(this.exited, 'end of the server');
  }

  async stop() {
    this.child.kill('SIGTERM');
    try {
      await within(this.exited, 'end of the server', 3000);
    } catch {
      await this.kill();
    }
    servers.delete(this);
  }

  /** Starts the program again on the port it had. */
  restart() {
    return this.start(this.port);
  }
}

/** The command that starts the example; EXAMPLES is the folder of the programs, or `reference` for `lib/reference-<name>.js`. */
export function exampleCommand(name) {
  const folder = process.env.EXAMPLES;
  if (!folder) throw new Error('EXAMPLES is not set: the folder of the example programs, or "reference"');
  if (folder !== 'reference') return [resolvePath(process.env.INIT_CWD ?? process.cwd(), folder, name)];
  return [process.execPath, fileURLToPath(new URL(`reference-${name}.js`, import.meta.url))];
}

/** The command that starts another program of the folder, which the reference has no counterpart of. */
export function siblingCommand(name) {
  return isReference ? [] : command(name);
}

/** The command that starts a program beside that of INTEROP_SERVER, or that one; or the file that takes its place in the reference. */
export function command(sibling, reference = 'reference-server.js') {
  const program = process.env.INTEROP_SERVER;
  if (!program) throw new Error('INTEROP_SERVER is not set: the path of a server program, or "reference"');
  // npm runs its scripts in the folder of the package; a relative path is meant from where npm was called.
  const path = resolvePath(process.env.INIT_CWD ?? process.cwd(), program);
  if (!isReference) return [sibling ? join(dirname(path), sibling) : path];
  return [process.execPath, fileURLToPath(new URL(reference, import.meta.url))];
}

/** Below the ports that the system gives to those who do not care, and in each process from another one on. */
const PORTS = { first: 10_000, count: 20_000 };
let ports = process.pid * 64;

/**
 * A port where nobody listens, and that nobody gets who does not ask for it: it stays free while a server is away, though others listen on port 0 meanwhile.
 */
export async function freePort() {
  for (;;) {
    const port = PORTS.first + (ports++ % PORTS.count);
    const probe = createServer();
    const isFree = await new Promise((resolve) => {
      probe.once('error', () => resolve(false));
      probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
    });
    if (isFree) return port;
  }
}

function accepts(port) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
