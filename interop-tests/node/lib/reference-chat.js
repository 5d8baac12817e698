// The chat example's server on the official `socket.io` package. It proves the page and the browser test against the original.
// Listens on 127.0.0.1:$PORT (3000 if unset) until SIGTERM.

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { Server } from "socket.io";

const NAME_LIMIT = 24;
const TEXT_LIMIT = 2_000;
const HISTORY_LENGTH = 50;

const pageFolder = new URL("../../../examples/chat/page/", import.meta.url);
const pageFiles = new Map([
  ["/", ["index.html", "text/html; charset=utf-8"]],
  ["/chat.js", ["chat.js", "text/javascript; charset=utf-8"]],
  ["/chat.css", ["chat.css", "text/css; charset=utf-8"]],
]);

const http = createServer(async (request, response) => {
  const file = pageFiles.get(request.url.split("?")[0]);
  if (!file) {
    response.writeHead(404).end();
    return;
  }
  const [name, type] = file;
  response.writeHead(200, { "content-type": type }).end(await readFile(new URL(name, pageFolder)));
});

const io = new Server(http);
const names = new Set();
const history = [];
let lastId = 0;

const refusal = (message) => ({ error: { message } });
const length = (text) => [...text].length;

io.on("connection", (socket) => {
  let name;

  socket.on("join", (asked, ack) => {
    const trimmed = String(asked).trim();
    if (trimmed === "") return ack(refusal("the name is empty"));
    if (length(trimmed) > NAME_LIMIT) return ack(refusal(`the name is too long: ${length(trimmed)} > ${NAME_LIMIT} characters`));
    if (names.has(trimmed)) return ack(refusal("the name is taken"));
    name = trimmed;
    names.add(name);
    socket.join("room");
    ack({ name, users: [...names] });
    socket.emit("history", history);
    socket.to("room").emit("user joined", { name, users: [...names] });
  });

  socket.on("message", (text, ack) => {
    if (!name) return ack(refusal("join first"));
    if (text === "") return ack(refusal("the message is empty"));
    if (length(text) > TEXT_LIMIT) return ack(refusal(`the message is too long: ${length(text)} > ${TEXT_LIMIT} characters`));
    const message = { id: ++lastId, from: name, text, at: Date.now() };
    history.push(message);
    if (history.length > HISTORY_LENGTH) history.shift();
    ack({ id: message.id });
    io.to("room").emit("message", message);
  });

  socket.on("typing", (typing) => {
    if (name) socket.to("room").volatile.emit("typing", { from: name, typing });
  });

  socket.on("latency", (ack) => ack());

  socket.on("disconnect", () => {
    if (!name) return;
    names.delete(name);
    io.to("room").emit("user left", { name, users: [...names] });
  });
});

process.once("SIGTERM", () => io.close());

http.listen(Number(process.env.PORT ?? 3000), "127.0.0.1");
