"""A server on python-socketio for the suite `node/python/client.test.js`. It listens on 127.0.0.1, on the port that the environment names in PORT.

Namespaces `/` and `/chat` have the same events; `/auth` wants the token `secret`.

    echo (any...)       acknowledges with the same arguments
    echo-back (any...)  emits `echo-back` with the same arguments
    ask (any...)        emits `question` with the arguments and wants an acknowledgement, emits `answer` with that
    burst (n)           emits `number` with 0 to n - 1
    leave               disconnects the socket
    who                 acknowledges with the payload of the handshake, its query and a header
"""

import os
import urllib.parse

import engineio.payload
import socketio
import uvicorn

# How many packets one POST may have; clients know nothing of that limit.
engineio.payload.Payload.max_decode_packets = 1000

sio = socketio.AsyncServer(async_mode="asgi", ping_interval=1, ping_timeout=4)
handshakes = {}


def serve(namespace):
    @sio.on("echo", namespace=namespace)
    async def echo(sid, *args):
        return args

    @sio.on("echo-back", namespace=namespace)
    async def echo_back(sid, *args):
        await sio.emit("echo-back", args, to=sid, namespace=namespace)

    @sio.on("ask", namespace=namespace)
    async def ask(sid, *args):
        async def answered(*answer):
            await sio.emit("answer", answer, to=sid, namespace=namespace)

        await sio.emit("question", args, to=sid, namespace=namespace, callback=answered)

    @sio.on("burst", namespace=namespace)
    async def burst(sid, count):
        for number in range(count):
            await sio.emit("number", number, to=sid, namespace=namespace)

    @sio.on("leave", namespace=namespace)
    async def leave(sid):
        await sio.disconnect(sid, namespace=namespace)

    @sio.on("who", namespace=namespace)
    async def who(sid):
        return handshakes[sid]

    @sio.on("connect", namespace=namespace)
    async def connect(sid, environ, auth):
        if namespace == "/auth" and (auth or {}).get("token") != "secret":
            raise socketio.exceptions.ConnectionRefusedError("unauthorized", {"code": 401, "list": [1, None]})
        query = urllib.parse.parse_qs(environ.get("QUERY_STRING", ""))
        handshakes[sid] = {"auth": auth, "x": query.get("x"), "header": environ.get("HTTP_X_TEST")}

    @sio.on("disconnect", namespace=namespace)
    async def disconnect(sid, reason):
        handshakes.pop(sid, None)


for name in ("/", "/chat", "/auth"):
    serve(name)

uvicorn.run(socketio.ASGIApp(sio), host="127.0.0.1", port=int(os.environ["PORT"]), log_level="warning")
