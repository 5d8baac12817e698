// The chat example in a real browser: page, official browser client and chat program together.
//
//     CHAT_SERVER=<path of the chat program, or `reference`> node --test browser.test.js
//
// Leaves pictures of the pages in interop-tests/out.

import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { ChatPage, ChatServer, launchBrowser } from "./lib/browser.js";

const RECOVERY_TIMEOUT = 20_000;
const STOP_TIMEOUT = 5_000;
const out = fileURLToPath(new URL("../out/", import.meta.url));

const desktop = { viewport: { width: 1180, height: 760 }, colorScheme: "light" };
const darkDesktop = { ...desktop, colorScheme: "dark" };
const phone = { viewport: { width: 390, height: 780 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true, colorScheme: "dark" };
const lightPhone = { ...phone, colorScheme: "light" };

// Each step builds on the ones before it, as the people in the room would.
describe("chat in a browser", { timeout: 150_000 }, () => {
  let server;
  let browser;
  let ada; // on a desktop
  let ben; // on a phone
  let cleo; // comes later, over polling only
  let dora; // over WebSocket only
  const everyone = () => [ada, ben, cleo, dora].filter(Boolean);

  const picture = (chat, name) => chat.page.screenshot({ path: `${out}${name}.png` });

  async function checkDelivered(text, pages) {
    for (const chat of pages) await chat.messages(text).and(chat.locator("li[data-id]:not([data-state])")).waitFor();
    for (const chat of pages) {
      assert.equal(await chat.messages(text).count(), 1, `"${text}" is shown once`);
    }
  }

  before(async () => {
    await mkdir(out, { recursive: true });
    browser = await launchBrowser();
    server = await ChatServer.create();
    await server.start();
  });

  after(async () => {
    server?.dispose();
    await browser?.close();
  });

  it("lets the first one in and shows an empty room", async () => {
    ada = await ChatPage.open(browser, server.url, desktop);
    await picture(ada, "desktop-welcome");
    await ada.join("Ada");
    await ada.locator("#users li[data-name=Ada]").waitFor();
    assert.equal(await ada.locator("#users li").count(), 1);
    await ada.page.getByText("No messages yet.").waitFor();
    assert.equal(await ada.locator("#banner").isVisible(), false);
    await picture(ada, "desktop-empty");
  });

  it("shows why a name is refused, and lets in under another", async () => {
    ben = await ChatPage.open(browser, server.url, phone);
    for (const refused of ["Ada", "B".repeat(25)]) {
      await ben.askToJoin(refused);
      await ben.page.waitForFunction(() => {
        const { textContent } = document.getElementById("join-error");
        return textContent !== "" && document.getElementById("join").ariaDisabled === "false";
      });
      assert.equal(await ben.locator("#chat").isVisible(), false);
      assert.equal(await ben.locator("#name").getAttribute("aria-invalid"), "true");
    }
    await picture(ben, "phone-refused");

    await ben.join("Ben");
    for (const chat of [ada, ben]) {
      await chat.locator("#users li[data-name=Ada]").waitFor();
      await chat.locator("#users li[data-name=Ben]").waitFor();
      assert.equal(await chat.locator("#users li").count(), 2);
    }
    await ada.locator("#messages li.notice", { hasText: "Ben joined" }).waitFor();
  });

  it("shows the upgrade from polling to WebSocket", async () => {
    for (const chat of [ada, ben]) {
      await chat.waitForText("#transport", "websocket");
      assert.deepEqual(await chat.page.evaluate(() => window.shownTransports), ["polling", "websocket"]);
    }
  });

  it("measures the latency", async () => {
    for (const chat of [ada, ben]) {
      await chat.page.waitForFunction(() => /^\d+(\.\d)? ms$/.test(document.getElementById("latency").textContent));
      await chat.page.waitForFunction(() => document.querySelector("#chart .line").getAttribute("d")?.includes("L"));
    }
  });

  it("carries messages both ways, each once", async () => {
    const conversation = [
      [ada, "Hello Ben, is the new server up?"],
      [ben, "It is. I am writing this from my phone."],
      [ben, "The connection started with polling and went over to WebSocket on its own."],
      [ada, "Same here, and the latency is tiny 🎉"],
    ];
    for (const [sender, text] of conversation) {
      await sender.write(text);
      await checkDelivered(text, [ada, ben]);
      assert.equal(await sender.messages(text).getAttribute("data-own"), "");
    }
    for (const [, text] of conversation) {
      for (const chat of [ada, ben]) assert.equal(chat.received(text), 1, `"${text}" came over the wire once`);
    }
    assert.equal(await ada.locator("#messages li[data-state]").count(), 0);
  });

  it("shows markup as text and keeps long words inside the page", async () => {
    const markup = `<img src="x" onerror="document.title = 'broken'"> <b>bold</b>`;
    await ben.write(markup);
    await checkDelivered(markup, [ada, ben]);
    const long = "Donaudampfschifffahrtsgesellschaftskapitän".repeat(8);
    await ada.write(long);
    await checkDelivered(long, [ada, ben]);
    for (const chat of [ada, ben]) {
      assert.equal(await chat.locator("#messages :is(img, b)").count(), 0);
      assert.equal(await chat.page.title(), "Chat");
      const [wide, width] = await chat.page.evaluate(() => [
        Math.max(document.documentElement.scrollWidth, document.getElementById("messages").scrollWidth),
        innerWidth,
      ]);
      assert.ok(wide <= width, `the page is ${wide} px wide in a window of ${width} px`);
    }
  });

  it("shows who types, and when they stop", async () => {
    await ben.locator("#text").pressSequentially("Let me see");
    await ada.waitForText("#typing", "Ben is typing…");
    assert.equal(await ben.locator("#typing").textContent(), "");
    await ada.waitForText("#typing", "");
    await ben.locator("#text").fill("Let me see, it works");
    await ada.waitForText("#typing", "Ben is typing…");
    await picture(ada, "desktop-typing");
    await ben.page.keyboard.press("Enter");
    await ada.waitForText("#typing", "");
    await checkDelivered("Let me see, it works", [ada, ben]);
  });

  it("counts unread messages in the title of a hidden page", async () => {
    const setHidden = (hidden) =>
      ada.page.evaluate((hidden) => {
        Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
        document.dispatchEvent(new Event("visibilitychange"));
      }, hidden);
    await setHidden(true);
    await ben.write("One");
    await ben.write("Two");
    await ada.page.waitForFunction(() => document.title === "(2) Chat");
    await setHidden(false);
    assert.equal(await ada.page.title(), "Chat");
  });

  it("stays where the reader scrolled to, and offers the way back", async () => {
    for (let line = 1; line <= 12; line += 1) await ada.write(`Line ${line} of a longer story`);
    await checkDelivered("Line 12 of a longer story", [ada, ben]);
    const bottomGap = () =>
      ben.page.evaluate(() => {
        const log = document.getElementById("log");
        return log.scrollHeight - log.scrollTop - log.clientHeight;
      });
    assert.ok((await bottomGap()) < 2, "the newest message is in sight");

    await ben.locator("#log").evaluate((log) => log.scrollTo(0, 0));
    await ben.page.waitForFunction(() => document.getElementById("log").scrollTop === 0);
    await ada.write("Are you still reading?");
    await ben.locator("#jump").waitFor();
    assert.equal(await ben.locator("#log").evaluate((log) => log.scrollTop), 0);
    await ben.locator("#jump").click();
    assert.ok((await bottomGap()) < 2, "the newest message is in sight again");
    await ben.locator("#jump").waitFor({ state: "hidden" });
  });

  it("shows the history to one who comes later, over polling alone", async () => {
    const inRoom = await ada.locator("#messages li.message .text").allTextContents();
    cleo = await ChatPage.open(browser, `${server.url}?transport=polling`, darkDesktop);
    await cleo.join("Cleopatra of Alexandria");
    await cleo.messages(inRoom.at(-1)).waitFor();
    assert.deepEqual(await cleo.locator("#messages li.message .text").allTextContents(), inRoom);
    await cleo.write("Sorry for being late");
    await checkDelivered("Sorry for being late", [ada, ben, cleo]);
    assert.equal(await cleo.locator("#transport").textContent(), "polling");
    assert.deepEqual(cleo.frames, []);
  });

  it("works over WebSocket alone", async () => {
    dora = await ChatPage.open(browser, `${server.url}?transport=websocket`, lightPhone);
    await dora.join("Dora");
    await dora.write("Straight to WebSocket");
    await checkDelivered("Straight to WebSocket", everyone());
    assert.deepEqual(await dora.page.evaluate(() => window.shownTransports), ["websocket"]);
    await picture(ada, "desktop");
    await picture(ben, "phone");
    await picture(cleo, "desktop-dark");
    await picture(dora, "phone-light");
  });

  it("comes back after its network was away, with what was said meanwhile", async () => {
    const network = ben.page.context();
    const ownNumber = await ben.locator("#messages li[data-own]").count();
    ben.serverMayBeAway = true;
    await network.setOffline(true);
    await ben.locator("body[data-state=lost]").waitFor();
    await ada.write("Ben cannot see this yet");
    await ben.write("Written in a tunnel");
    await checkDelivered("Ben cannot see this yet", [ada, cleo, dora]);
    await network.setOffline(false);
    await checkDelivered("Ben cannot see this yet", everyone());
    await checkDelivered("Written in a tunnel", everyone());
    const texts = await ada.locator("#messages li.message .text").allTextContents();
    assert.deepEqual(await ben.locator("#messages li.message .text").allTextContents(), texts);
    assert.equal(await ben.locator("#messages li[data-own]").count(), ownNumber + 1);
    await ben.waitForText("#transport", "websocket");
    ben.serverMayBeAway = false;
  });

  for (const [lost, drops] of [
    ["message", { up: /^42\d+\["message"/ }],
    ["acknowledgement", { down: /^4[23]/ }],
  ]) {
    it(`delivers once when the connection breaks with the ${lost} on its way`, async () => {
      const text = `Sent without its ${lost}`;
      const link = await dora.holdNextConnection();
      await dora.page.reload();
      await dora.join("Dora");
      await dora.locator("#users li[data-name=Ada]").waitFor();
      link.drop(drops);
      await dora.write(text);
      await link.dropped;
      assert.equal(await dora.messages(text).getAttribute("data-state"), "pending");
      await link.close();
      await checkDelivered(text, everyone());
    });
  }

  it("tells of the loss when the server is killed", async () => {
    for (const chat of everyone()) chat.serverMayBeAway = true;
    await server.end("SIGKILL", STOP_TIMEOUT);
    for (const chat of everyone()) {
      await chat.locator("body[data-state=lost]").waitFor();
      await chat.locator("#banner", { hasText: /Connection lost, trying again….*attempt \d/ }).waitFor();
    }
    await ada.write("Written while the server was away");
    await ada.messages("Written while the server was away").and(ada.locator("[data-state=pending]")).waitFor();
    await picture(ada, "desktop-lost");
    await picture(ben, "phone-lost");
  });

  it("recovers by itself when the server is back", async () => {
    await server.start();
    for (const chat of everyone()) {
      await chat.locator("body[data-state=connected]").waitFor({ timeout: RECOVERY_TIMEOUT });
      await chat.page.waitForFunction(() => document.querySelectorAll("#users li").length === 4, null, { timeout: RECOVERY_TIMEOUT });
    }
    await checkDelivered("Written while the server was away", everyone());
    await ben.write("There you are again");
    await ada.write("As if nothing had happened");
    await checkDelivered("There you are again", everyone());
    await checkDelivered("As if nothing had happened", everyone());
    for (const chat of everyone()) {
      assert.equal(await chat.locator("#messages li.message").count(), 3, "the messages of the first server are gone");
      await chat.locator("#banner").waitFor({ state: "hidden" });
    }
    for (const chat of [ada, ben]) {
      await chat.waitForText("#transport", "websocket");
      assert.equal(chat.received("As if nothing had happened"), 1);
    }
    for (const chat of everyone()) chat.serverMayBeAway = false;
    await picture(ada, "desktop-recovered");
  });

  it("says who left", async () => {
    await dora.page.close();
    await ada.locator("#messages li.notice", { hasText: "Dora left" }).waitFor();
    await ada.page.waitForFunction(() => document.querySelectorAll("#users li").length === 3);
  });

  it("ends on SIGTERM while pages are open", async () => {
    for (const chat of everyone()) chat.serverMayBeAway = true;
    await server.end("SIGTERM", STOP_TIMEOUT);
    await ada.locator("body[data-state=lost]").waitFor();
  });

  it("had no errors on any page", () => {
    for (const chat of everyone()) assert.deepEqual(chat.errors, []);
  });
});
