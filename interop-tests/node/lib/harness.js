// What the suites share: one server per file, tests as sentences, the table of transports.

import { after, before, test } from 'node:test';
import { startServer, takeServerErrors } from './server.js';
import { connectClient } from './client.js';

export const TRANSPORTS = ['polling', 'websocket', 'upgrade'];

/** One server for all tests of a file: started before the first, stopped after the last. */
export function suiteServer(options) {
  const suite = {
    get url() {
      return suite.process.url;
    },
    get port() {
      return suite.process.port;
    },
  };
  // Hooks of the root do not wait for each other; those that need the server wait for `started`.
  suite.started = new Promise((resolve, reject) => {
    before(async () => {
      try {
        suite.process = await startServer(options);
        resolve();
      } catch (error) {
        reject(error);
        throw error;
      }
    });
  });
  suite.started.catch(() => {});
  after(() => suite.process?.stop());
  return suite;
}

/** A test that shows the server's standard error when it fails. `options` are those of Node's `test`, and can be left out. */
export function scenario(sentence, options, run = options) {
  test(sentence, run === options ? {} : options, async (t) => {
    takeServerErrors();
    try {
      await run(t);
    } catch (error) {
      const text = takeServerErrors();
      if (text) console.error(text);
      throw error;
    }
  });
}

/**
 * The same test over polling, over WebSocket and over a connection that starts with the one and
 * upgrades to the other. `run` gets `connect`, which makes clients of that transport.
 */
export function overTransports(suite, sentence, run) {
  for (const transport of TRANSPORTS) {
    scenario(`${sentence} (${transport})`, (t) => {
      const connect = (options = {}) => connectClient(t, options.url ?? suite.url, { transport, ...options });
      return run({ t, transport, connect });
    });
  }
}
