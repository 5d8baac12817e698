// What the browser test stands on: the system's Chromium, the chat program as a child process, and watched pages.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { freePort } from "./server.js";

const START_TIMEOUT = 10_000;

export async function launchBrowser() {
  const executablePath = process.env.CHROMIUM || "/usr/bin/chromium";
  if (!existsSync(executablePath)) {
    throw new Error(
      `the browser test needs Chromium, and there is none at ${executablePath}: ` +
        "install it (Debian, Ubuntu: apt-get install chromium) or set CHROMIUM to the path of its program",
    );
  }
  return chromium.launch({
    executablePath,
    timeout: 30_000,
    args: [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}

/** The chat program of `CHAT_SERVER`; it can be ended and started again on the port it was given first. */
export class ChatServer {
  #command;
  #child;
  #exit;

  static async create() {
    const chosen = process.env.CHAT_SERVER;
    if (!chosen) throw new Error("set CHAT_SERVER to the path of the chat program, or to `reference` for the one on the official package");
    const server = new ChatServer();
    server.#command =
      chosen === "reference" ? [process.execPath, fileURLToPath(new URL("reference-chat.js", import.meta.url))] : [chosen];
    server.port = await freePort();
    server.url = `http://127.0.0.1:${server.port}/`;
    return server;
  }

  async start() {
    const [program, ...args] = this.#command;
    const child = spawn(program, args, {
      env: { ...process.env, PORT: String(this.port) },
      stdio: ["ignore", "inherit", "inherit"],
    });
    await once(child, "spawn");
    this.#child = child;
    this.#exit = once(child, "exit");
    const deadline = Date.now() + START_TIMEOUT;
    while (!(await this.#answers())) {
      if (child.exitCode !== null) throw new Error(`the chat program ended at its start with code ${child.exitCode}`);
      if (Date.now() > deadline) throw new Error(`the chat program did not serve its page within ${START_TIMEOUT} ms`);
      await delay(25);
    }
  }

  async #answers() {
    try {
      const response = await fetch(this.url, { signal: AbortSignal.timeout(1_000) });
      await response.arrayBuffer();
      return response.ok;
    } catch {
      return false;
    }
  }

  /** Sends the signal and returns the milliseconds until the program has ended, or fails after `limit` of them. */
  async end(signal, limit) {
    const start = performance.now();
    this.#child.kill(signal);
    const stop = new AbortController();
    const timer = delay(limit, "late", { signal: stop.signal }).catch(() => {});
    const outcome = await Promise.race([this.#exit, timer]);
    stop.abort();
    if (outcome === "late") throw new Error(`the chat program still ran ${limit} ms after ${signal}`);
    return performance.now() - start;
  }

  dispose() {
    this.#child?.kill("SIGKILL");
  }
}

// What Chromium logs by itself when the server is away.
const NETWORK_ERROR = /^Failed to load resource: net::ERR_|^WebSocket connection to .* failed|^WebSocket is already in CLOSING or CLOSED state/;

/** A page of the chat that records its errors, the transports it shows, and the messages it receives over WebSocket. */
export class ChatPage {
  /** Set while the server is away: network errors are no fault of the page then. */
  serverMayBeAway = false;
  errors = [];
  frames = [];

  static async open(browser, url, options) {
    const context = await browser.newContext({ locale: "en-GB", ...options });
    const chat = new ChatPage();
    chat.page = await context.newPage();
    chat.page.setDefaultTimeout(10_000);
    chat.page.on("pageerror", (error) => chat.errors.push(String(error)));
    chat.page.on("console", (message) => {
      if (message.type() !== "error") return;
      if (chat.serverMayBeAway && NETWORK_ERROR.test(message.text())) return;
      chat.errors.push(message.text());
    });
    chat.page.on("websocket", (socket) => {
      socket.on("framereceived", ({ payload }) => chat.frames.push(String(payload)));
    });
    await chat.page.addInitScript(() => {
      window.shownTransports = [];
      document.addEventListener("DOMContentLoaded", () => {
        const shown = document.getElementById("transport");
        new MutationObserver(() => window.shownTransports.push(shown.dataset.transport)).observe(shown, {
          attributeFilter: ["data-transport"],
        });
      });
    });
    await chat.page.goto(url);
    return chat;
  }

  locator(selector, options) {
    return this.page.locator(selector, options);
  }

  async askToJoin(name) {
    await this.page.getByLabel("Your name").fill(name);
    await this.page.getByRole("button", { name: "Join the room" }).click();
  }

  async join(name) {
    await this.askToJoin(name);
    await this.locator("#chat").waitFor();
  }

  async write(text) {
    await this.page.getByLabel("Message", { exact: true }).fill(text);
    await this.page.keyboard.press("Enter");
  }

  /**
   * Takes hold of the next WebSocket connection of the page. `drop` makes it swallow what matches from then on,
   * `dropped` resolves when it has swallowed something, and `close` breaks it. Later connections are left alone.
   */
  async holdNextConnection() {
    let drops = {};
    let noteDropped;
    const link = {
      drop: (patterns) => (drops = patterns),
      dropped: new Promise((resolve) => (noteDropped = resolve)),
    };
    const passes = (pattern, message) => {
      const swallowed = pattern?.test(String(message)) ?? false;
      if (swallowed) noteDropped();
      return !swallowed;
    };
    await this.page.routeWebSocket(/\/socket\.io\//, (page) => {
      const server = page.connectToServer();
      if (link.close) return;
      page.onMessage((message) => passes(drops.up, message) && server.send(message));
      server.onMessage((message) => passes(drops.down, message) && page.send(message));
      link.close = async () => {
        await server.close();
        await page.close();
      };
    });
    return link;
  }

  /** The messages in the room with exactly this text. */
  messages(text) {
    return this.locator("#messages li.message").filter({ has: this.page.getByText(text, { exact: true }) });
  }

  /** Waits until `selector` has this text. */
  async waitForText(selector, expected, timeout = 10_000) {
    await this.page.waitForFunction(
      ([selector, expected]) => document.querySelector(selector).textContent === expected,
      [selector, expected],
      { timeout },
    );
  }

  /** Events called `message` with this text, as they came over WebSocket. */
  received(text) {
    return this.frames.filter((frame) => {
      if (!frame.startsWith("42[")) return false;
      const [event, message] = JSON.parse(frame.slice(2));
      return event === "message" && message.text === text;
    }).length;
  }
}
