// Runs an example that is a client, as a child process with pipes or on a terminal of its own.

import { spawn } from 'node:child_process';
import { resolve as resolvePath } from 'node:path';
import { fileURLToPath } from 'node:url';
import { eventually, within } from './deadline.js';
import { exampleCommand } from './server.js';

/** The servers that a client's example is tested with: ours, and the same on the official package, `lib/reference-<name>.js`. */
export function serversOf(name) {
  const official = [process.execPath, fileURLToPath(new URL(`reference-${name}.js`, import.meta.url))];
  return [
    ['our server', exampleCommand(name)],
    ['the official server', official],
  ];
}

/** Starts an example; `terminal: { columns, rows }` gives it one, with `script` of util-linux. */
export function startClient(t, name, args, { terminal } = {}) {
  const folder = process.env.EXAMPLES;
  if (folder === 'reference') throw new Error('the examples of clients are ours alone: set EXAMPLES to the folder of the programs');
  const program = resolvePath(process.env.INIT_CWD ?? process.cwd(), folder, name);
  if (!terminal) return new Program(t, program, args);
  // Behind the program, `stty` tells in which state it has left the terminal.
  const quoted = [program, ...args].map((word) => `'${word}'`).join(' ');
  const line = `stty cols ${terminal.columns} rows ${terminal.rows}; ${quoted}; code=$?; stty -a; exit $code`;
  return new Program(t, 'script', ['-qefc', line, '/dev/null'], terminal.columns);
}

class Program {
  stdout = '';
  stderr = '';

  constructor(t, program, args, columns) {
    this.columns = columns;
    this.child = spawn(program, args, { stdio: 'pipe' });
    // The program may end before it has read everything.
    this.child.stdin.on('error', () => {});
    this.child.stdout.setEncoding('utf8').on('data', (text) => (this.stdout += text));
    this.child.stderr.setEncoding('utf8').on('data', (text) => (this.stderr += text));
    this.closed = new Promise((resolve) => {
      this.child.once('error', (error) => resolve(error.message));
      // Not "exit": what it has written is to be there.
      this.child.once('close', (code, signal) => resolve(signal ?? code));
    });
    t.after(() => this.child.kill('SIGKILL'));
  }

  /** What is on standard output, or on the terminal now. */
  get text() {
    return this.columns ? screen(this.stdout, this.columns) : this.stdout;
  }

  get lines() {
    return this.text.split('\n').slice(0, -1);
  }

  write(text) {
    this.child.stdin.write(text);
  }

  end(text) {
    this.child.stdin.end(text);
  }

  /** Waits until the output has it, `times` times in all. */
  async shows(pattern, times = 1) {
    const found = () => [...this.text.matchAll(new RegExp(pattern, 'gm'))];
    try {
      return await eventually(() => found().length >= times && found(), `${pattern} ${times} times`);
    } catch (error) {
      throw new Error(`${error.message}\n--- output\n${this.text}\n--- errors\n${this.stderr}`);
    }
  }

  /** Waits for its end: the exit code, or the signal. */
  async ended() {
    try {
      return await within(this.closed, 'end of the program', 60_000);
    } catch (error) {
      throw new Error(`${error.message}\n--- output\n${this.text}\n--- errors\n${this.stderr}`);
    }
  }
}

/** What a terminal of so many columns, and without end, shows: as much of one as the examples use. */
function screen(output, columns) {
  const rows = [[]];
  let [row, column] = [0, 0];
  const line = () => (rows[row] ??= []);
  for (const [, sequence, count, command, character] of output.matchAll(/(\x1b\[\??(\d*)[\d;]*([A-Za-z]))|([^])/gu)) {
    if (sequence) {
      if (command === 'A') row -= Number(count || 1);
      else if (command === 'G') column = Number(count || 1) - 1;
      else if (command === 'J') {
        line().length = Math.min(line().length, column);
        rows.length = row + 1;
      } else if (!'mhl'.includes(command)) throw new Error(`unknown to this terminal: ${JSON.stringify(sequence)}`);
    } else if (character === '\r') column = 0;
    else if (character === '\n') row++;
    else {
      if (column === columns) [row, column] = [row + 1, 0];
      while (line().length < column) line().push(' ');
      line()[column++] = character;
    }
    line();
  }
  return rows.map((cells) => cells.join('')).join('\n');
}
