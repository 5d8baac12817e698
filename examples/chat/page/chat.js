// The page of the chat example. Everything a user wrote reaches the page through `textContent`.

const LATENCY_INTERVAL = 2_000;
const LATENCY_VALUES = 60;
const ACK_TIMEOUT = 10_000;
const GROUP_SPAN = 5 * 60_000;
const SHOWN_MESSAGES = 500;
const TYPING_IDLE = 2_000;
// "typing" may be lost on its way, so it is repeated while the user goes on, and forgotten if it is not.
const TYPING_REPEAT = 2_500;
const TYPING_EXPIRY = 6_000;
// After a loss the server may hold the old connection, and with it the name, until its heartbeat fails.
const REJOIN_DELAYS = [300, 700, 1_500, 3_000, 6_000, 12_000, 24_000];

const byId = (id) => document.getElementById(id);
const page = {
  banner: byId("banner"),
  bannerText: byId("banner-text"),
  bannerAttempt: byId("banner-attempt"),
  welcome: byId("welcome"),
  joinForm: byId("join-form"),
  name: byId("name"),
  join: byId("join"),
  joinError: byId("join-error"),
  chat: byId("chat"),
  users: byId("users"),
  count: byId("count"),
  transport: byId("transport"),
  latency: byId("latency"),
  latencyRange: byId("latency-range"),
  chart: byId("chart"),
  log: byId("log"),
  messages: byId("messages"),
  jump: byId("jump"),
  typing: byId("typing"),
  compose: byId("compose"),
  text: byId("text"),
  left: byId("left"),
};

function element(tag, className, text) {
  const created = document.createElement(tag);
  if (className) created.className = className;
  if (text !== undefined) created.textContent = text;
  return created;
}

// Connection

const asked = new URLSearchParams(location.search).get("transport");
const options = { autoConnect: false, reconnectionDelay: 500, reconnectionDelayMax: 3_000 };
if (asked === "polling" || asked === "websocket") options.transports = [asked];
const socket = io(options);

let bannerTimer;

function showBanner(kind, text, attempt) {
  clearTimeout(bannerTimer);
  page.banner.hidden = false;
  page.banner.dataset.kind = kind;
  // Written only when it changes, so that screen readers do not repeat it with every attempt.
  if (page.bannerText.textContent !== text) page.bannerText.textContent = text;
  page.bannerAttempt.textContent = attempt ? `attempt ${attempt}` : "";
}

function hideBanner() {
  clearTimeout(bannerTimer);
  page.banner.hidden = true;
  page.bannerText.textContent = "";
}

function lossText() {
  return document.body.dataset.state === "lost" ? "Connection lost, trying again…" : "The server cannot be reached, trying again…";
}

function showTransport(name) {
  page.transport.textContent = name || "offline";
  page.transport.dataset.transport = name;
}

socket.io.on("open", () => {
  const { engine } = socket.io;
  showTransport(engine.transport.name);
  engine.on("upgrade", (transport) => {
    if (engine === socket.io.engine) showTransport(transport.name);
  });
});

socket.io.on("reconnect_attempt", (attempt) => showBanner("lost", lossText(), attempt));

socket.on("connect_error", () => {
  if (page.banner.hidden) showBanner("lost", lossText());
  // A refusal, unlike a failed connection, is not tried again by itself.
  if (!socket.active) setTimeout(() => socket.connect(), 2_000);
});

socket.on("connect", () => {
  document.body.dataset.state = "connected";
  if (wanted) requestJoin();
  else hideBanner();
  // Not at once: that would measure how busy the start of a connection is.
  setTimeout(measureLatency, LATENCY_INTERVAL / 4);
});

socket.on("disconnect", (reason) => {
  document.body.dataset.state = "lost";
  joined = false;
  historyShown = false;
  clearTimeout(rejoinTimer);
  forgetTyping();
  showTransport("");
  showLatency(null);
  showBanner("lost", lossText());
  // The client does not come back by itself when the server sent it away, as one that shuts down may do.
  if (reason === "io server disconnect") setTimeout(() => socket.connect(), 500);
});

// Joining

let wanted = "";
let joined = false;
let historyShown = false;
let rejoinTries = 0;
let rejoinTimer;

function requestJoin() {
  const connection = socket.id;
  socket.timeout(ACK_TIMEOUT).emit("join", wanted, (error, answer) => {
    if (socket.id !== connection) return;
    if (!error && !answer.error) enter(answer);
    else refuse(error ? "The server did not answer." : answer.error.message);
  });
}

function enter({ name, users }) {
  const first = page.chat.hidden;
  wanted = name;
  joined = true;
  rejoinTries = 0;
  showJoining(false);
  showView("chat");
  showUsers(users);
  if (first) {
    hideBanner();
    page.text.focus();
    stickToBottom();
  } else {
    showBanner("back", "Connected again.");
    bannerTimer = setTimeout(hideBanner, 2_500);
  }
  deliverAll();
}

function refuse(reason) {
  if (!page.chat.hidden && rejoinTries < REJOIN_DELAYS.length) {
    rejoinTimer = setTimeout(requestJoin, REJOIN_DELAYS[rejoinTries]);
    rejoinTries += 1;
    showBanner("lost", "Connected again, entering the room…", rejoinTries);
    return;
  }
  page.name.value = wanted;
  wanted = "";
  rejoinTries = 0;
  hideBanner();
  showJoining(false);
  showView("welcome");
  page.joinError.textContent = reason;
  page.name.setAttribute("aria-invalid", "true");
  page.name.focus();
  page.name.select();
}

function showView(view) {
  document.body.dataset.view = view;
  page.welcome.hidden = view !== "welcome";
  page.chat.hidden = view !== "chat";
}

// The button stays focusable while it waits: a disabled one would drop the focus.
function showJoining(busy) {
  page.join.setAttribute("aria-disabled", String(busy));
  page.join.textContent = busy ? "Joining…" : "Join the room";
}

page.joinForm.addEventListener("submit", (event) => {
  event.preventDefault();
  if (page.join.getAttribute("aria-disabled") === "true") return;
  page.joinError.textContent = "";
  page.name.removeAttribute("aria-invalid");
  const name = page.name.value.trim();
  if (!name) return refuse("Please enter a name.");
  wanted = name;
  showJoining(true);
  if (socket.connected) requestJoin();
});

// People

function hue(name) {
  let mixed = 7;
  for (const character of name) mixed = Math.imul(mixed ^ character.codePointAt(0), 0x5bd1e995);
  return ((mixed ^ (mixed >>> 15)) >>> 0) % 360;
}

function avatar(name) {
  const circle = element("span", "avatar", [...name][0]?.toUpperCase());
  circle.style.setProperty("--hue", hue(name));
  circle.setAttribute("aria-hidden", "true");
  return circle;
}

function showUsers(names) {
  const sorted = [...names].sort((a, b) => (b === wanted) - (a === wanted) || a.localeCompare(b));
  page.count.textContent = names.length;
  page.users.replaceChildren(
    ...sorted.map((name) => {
      const item = element("li");
      item.dataset.name = name;
      const label = element("span", "name", name);
      label.dir = "auto";
      item.append(avatar(name), label);
      if (name === wanted) item.append(element("span", "you", "you"));
      return item;
    }),
  );
}

socket.on("user joined", ({ name, users }) => {
  if (!joined) return;
  showUsers(users);
  notice(name, "joined");
});

socket.on("user left", ({ name, users }) => {
  if (!joined) return;
  showUsers(users);
  setTyping(name, false);
  notice(name, "left");
});

// Messages

const known = new Map(); // id of a message, as text -> its list item
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const calendar = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });

function messageItem({ from, text, at }) {
  const item = element("li", "message");
  item.dataset.from = from;
  if (from === wanted) item.dataset.own = "";
  const sender = element("span", "sender");
  const name = element("bdi", "", from);
  sender.append(name, element("span", "unseen", ": "));
  sender.style.setProperty("--hue", hue(from));
  const bubble = element("div", "bubble");
  const words = element("span", "text", text);
  words.dir = "auto";
  bubble.append(words, element("time"));
  item.append(avatar(from), sender, bubble);
  setTime(item, at);
  return item;
}

function identified(item, id) {
  item.dataset.id = id;
  known.set(String(id), item);
  return item;
}

function setTime(item, at) {
  const time = item.querySelector("time");
  const date = new Date(at);
  item.dataset.at = at;
  time.dateTime = date.toISOString();
  time.textContent = clock.format(date);
}

function notice(name, what) {
  const item = element("li", "notice");
  item.append(element("bdi", "", name), ` ${what}`);
  readScroll();
  insert(item);
}

function isMessage(item) {
  return item?.classList.contains("message") ?? false;
}

// Joins a message to the one above it if both are of one sender, and heads the first message of a day with the date.
function group(item) {
  if (!isMessage(item)) return;
  const above = item.previousElementSibling;
  const at = Number(item.dataset.at);
  const near = isMessage(above) && above.dataset.from === item.dataset.from && at - Number(above.dataset.at) < GROUP_SPAN;
  const day = new Date(at).toDateString();
  const dayAbove = isMessage(above) ? new Date(Number(above.dataset.at)).toDateString() : new Date().toDateString();
  if (day === dayAbove) delete item.dataset.day;
  else item.dataset.day = calendar.format(at);
  item.toggleAttribute("data-follows", near && day === dayAbove);
}

// What the server has stands above what it has not.
function insert(item) {
  const pending = item.dataset.state ? null : page.messages.querySelector("li[data-state]");
  const below = item.nextElementSibling;
  if (!item.isConnected || below !== pending) {
    page.messages.insertBefore(item, pending);
    group(below);
  }
  group(item);
  group(item.nextElementSibling);
  while (page.messages.childElementCount > SHOWN_MESSAGES) {
    known.delete(page.messages.firstElementChild.dataset.id);
    page.messages.firstElementChild.remove();
  }
  if (stuck) scrollToBottom();
}

socket.on("message", (message) => {
  readScroll();
  setTyping(message.from, false);
  const present = known.get(String(message.id));
  if (present) {
    setTime(present, message.at);
    insert(present);
    return;
  }
  // Our own may come before its acknowledgement.
  const entry = message.from === wanted && outbox.find(({ sent, text }) => sent && text === message.text);
  if (entry) {
    accept(entry, message.id);
    setTime(entry.item, message.at);
    insert(entry.item);
    return;
  }
  insert(identified(messageItem(message), message.id));
  noteUnread();
});

// A server that was started anew counts its messages from the beginning, so nothing shown before is kept.
socket.on("history", (messages) => {
  const above = page.log.scrollHeight - page.log.scrollTop;
  const before = new Map([...known].map(([id, item]) => [id, item.dataset.at]));
  page.log.setAttribute("aria-live", "off");
  known.clear();
  page.messages.replaceChildren();
  for (const message of messages) {
    // A message that was on its way when the connection broke may have arrived.
    const arrived =
      message.from === wanted &&
      before.get(String(message.id)) !== String(message.at) &&
      outbox.find(({ sent, text }) => sent && text === message.text);
    if (arrived) accept(arrived, message.id);
    insert(identified(messageItem(message), message.id));
  }
  for (const { item } of outbox) insert(item);
  historyShown = true;
  deliverAll();
  if (stuck) stickToBottom();
  else page.log.scrollTop = page.log.scrollHeight - above;
  requestAnimationFrame(() => page.log.removeAttribute("aria-live"));
});

// Sending

const outbox = []; // what the server does not have yet, in the order of writing

// The history comes first: it tells what of an earlier connection has arrived.
function ready() {
  return joined && historyShown;
}

function deliverAll() {
  if (!ready()) return;
  for (const entry of outbox) if (entry.item.dataset.state === "pending") deliver(entry);
}

function deliver(entry) {
  entry.sent = true;
  socket.timeout(ACK_TIMEOUT).emit("message", entry.text, (error, answer) => {
    // Lost with its connection: the next history decides.
    if (!outbox.includes(entry) || !ready()) return;
    if (error) fail(entry, "The server did not answer.");
    else if (answer.error) fail(entry, answer.error.message);
    else accept(entry, answer.id);
  });
}

function accept(entry, id) {
  outbox.splice(outbox.indexOf(entry), 1);
  const shown = known.get(String(id));
  if (shown && shown !== entry.item) {
    entry.item.remove();
    return;
  }
  delete entry.item.dataset.state;
  entry.item.querySelector(".note")?.remove();
  identified(entry.item, id);
}

function fail(entry, reason) {
  entry.sent = false;
  entry.item.dataset.state = "failed";
  const note = element("p", "note", `Not sent: ${reason}`);
  const again = element("button", "again", "Send again");
  again.type = "button";
  again.addEventListener("click", () => {
    note.remove();
    entry.item.dataset.state = "pending";
    page.text.focus();
    if (ready()) deliver(entry);
  });
  note.append(" ", again);
  entry.item.querySelector(".note")?.remove();
  entry.item.append(note);
  if (stuck) scrollToBottom();
}

page.compose.addEventListener("submit", (event) => {
  event.preventDefault();
  page.text.focus();
  const text = page.text.value.trim();
  if (!text) return;
  page.text.value = "";
  fitText();
  stopTyping();
  const item = messageItem({ from: wanted, text, at: Date.now() });
  item.dataset.state = "pending";
  const entry = { text, item, sent: false };
  outbox.push(entry);
  stickToBottom();
  insert(item);
  if (ready()) deliver(entry);
});

page.text.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  page.compose.requestSubmit();
});

// A tap on the button must not close the keyboard of a phone.
byId("send").addEventListener("pointerdown", (event) => event.preventDefault());

page.text.addEventListener("input", () => {
  fitText();
  if (page.text.value.trim()) noteTyping();
  else stopTyping();
});

function fitText() {
  readScroll();
  page.text.style.height = "auto";
  page.text.style.height = `${page.text.scrollHeight}px`;
  const left = page.text.maxLength - page.text.value.length;
  page.left.textContent = left < 200 ? `${left} left` : "";
}

// Typing

let typingSince = null; // when the others were last told, if they believe that we type
let idleTimer;
const typists = new Map(); // name -> the timer that forgets it

function noteTyping() {
  clearTimeout(idleTimer);
  idleTimer = setTimeout(stopTyping, TYPING_IDLE);
  if (!ready()) return;
  if (typingSince !== null && performance.now() - typingSince < TYPING_REPEAT) return;
  typingSince = performance.now();
  socket.volatile.emit("typing", true);
}

function stopTyping() {
  clearTimeout(idleTimer);
  if (typingSince !== null && ready()) socket.emit("typing", false);
  typingSince = null;
}

function forgetTyping() {
  clearTimeout(idleTimer);
  typingSince = null;
  for (const name of [...typists.keys()]) setTyping(name, false);
}

function setTyping(name, active) {
  clearTimeout(typists.get(name));
  if (active) typists.set(name, setTimeout(() => setTyping(name, false), TYPING_EXPIRY));
  else typists.delete(name);
  page.typing.textContent = typingText([...typists.keys()]);
}

function typingText(names) {
  if (names.length === 0) return "";
  if (names.length === 1) return `${names[0]} is typing…`;
  if (names.length > 3) return "Several people are typing…";
  return `${names.slice(0, -1).join(", ")} and ${names.at(-1)} are typing…`;
}

socket.on("typing", ({ from, typing }) => {
  if (joined && from !== wanted) setTyping(from, typing);
});

// Scrolling and unread messages

let stuck = true; // the newest message is in sight and shall stay so
let unseen = 0;
let unread = 0;

function scrollToBottom() {
  page.log.scrollTop = page.log.scrollHeight;
}

function stickToBottom() {
  stuck = true;
  unseen = 0;
  page.jump.hidden = true;
  scrollToBottom();
}

function noteUnread() {
  if (document.hidden) {
    unread += 1;
    showTitle();
  }
  if (stuck) return;
  unseen += 1;
  page.jump.hidden = false;
  page.jump.textContent = unseen === 1 ? "1 new message ↓" : `${unseen} new messages ↓`;
}

function showTitle() {
  document.title = unread ? `(${unread}) Chat` : "Chat";
}

// A change of the size moves the text too, and is no wish of the reader: only scrolling at the known size counts.
function readScroll() {
  if (page.log.clientHeight !== logHeight || page.log.clientWidth !== logWidth) return;
  stuck = page.log.scrollHeight - page.log.scrollTop - page.log.clientHeight < 48;
  if (!stuck) return;
  unseen = 0;
  page.jump.hidden = true;
}

page.log.addEventListener("scroll", readScroll);

page.jump.addEventListener("click", () => {
  stickToBottom();
  page.text.focus();
});

let logHeight = 0;
let logWidth = 0;
new ResizeObserver(() => {
  logHeight = page.log.clientHeight;
  logWidth = page.log.clientWidth;
  if (stuck) scrollToBottom();
}).observe(page.log);

document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  unread = 0;
  showTitle();
});

// Latency

const latencies = []; // milliseconds, null where there was no answer

function measureLatency() {
  if (!socket.connected) {
    if (latencies.length) record(null);
    return;
  }
  const start = performance.now();
  socket.timeout(LATENCY_INTERVAL).emit("latency", (error) => {
    if (error && !socket.connected) return;
    const taken = error ? null : performance.now() - start;
    showLatency(taken);
    record(taken);
  });
}

function milliseconds(value) {
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
}

function showLatency(value) {
  page.latency.textContent = value === null ? "–" : milliseconds(value);
}

function record(value) {
  latencies.push(value);
  if (latencies.length > LATENCY_VALUES) latencies.shift();
  const measured = latencies.filter((latency) => latency !== null);
  if (measured.length === 0) return;
  const [least, most] = [Math.min(...measured), Math.max(...measured)].map(milliseconds);
  const range = least === most ? least : `${least} to ${most}`;
  page.latencyRange.textContent = `${range} in ${Math.round((latencies.length * LATENCY_INTERVAL) / 1_000)} s`;
  page.chart.setAttribute("aria-label", `Latency: ${range}`);
  drawChart(Math.max(4, ...measured) * 1.1);
}

// One unit of width per value, the newest at the right edge and with a dot; a missing value breaks the line.
function drawChart(top) {
  const left = LATENCY_VALUES - latencies.length;
  let line = "";
  let area = "";
  let dot = "";
  let start = null;
  latencies.forEach((latency, index) => {
    const x = left + index;
    if (latency !== null) {
      const y = (23 - (latency / top) * 22).toFixed(2);
      line += start === null ? `M${x} ${y}h0` : `L${x} ${y}`;
      area += start === null ? `M${x} 24V${y}` : `L${x} ${y}`;
      start ??= x;
      dot = `M${x} ${y}h0`;
    }
    const ends = index === latencies.length - 1 || latencies[index + 1] === null;
    if (start !== null && ends) {
      area += "V24Z";
      start = null;
    }
  });
  page.chart.querySelector(".line").setAttribute("d", line);
  page.chart.querySelector(".area").setAttribute("d", area);
  page.chart.querySelector(".dot").setAttribute("d", dot);
}

setInterval(measureLatency, LATENCY_INTERVAL);

socket.connect();
