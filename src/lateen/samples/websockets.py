"""WebSockets: a page at `/`, an echo at `/ws`, and news for all who listen by `/api?id=1&value=50`.

`python -m lateen.samples.websockets [--port 8888]`
"""

from __future__ import annotations

import argparse
import asyncio
import json

from aiohttp import WSMsgType, web

from lateen.samples.serving import application, run

_MAX_MESSAGE = 1 << 20
_MAX_TEXT = 256
_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>WebSockets</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:40em;margin:3em auto;padding:0 1em}
#log{border:1px solid #8884;border-radius:8px;padding:1em;min-height:8em;white-space:pre-wrap}</style></head>
<body><h1>WebSockets</h1>
<form id="say"><input id="text" placeholder="say something" autofocus> <button>Send</button></form>
<p id="log"></p>
<script>
const log = line => document.getElementById("log").append(line + "\\n");
const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`);
socket.onopen = () => log("connected");
socket.onclose = () => log("connection closed");
socket.onmessage = event => log("received: " + event.data);
document.getElementById("say").onsubmit = event => {
  event.preventDefault();
  socket.send(document.getElementById("text").value);
};
</script></body></html>
"""


class Listeners:
    """Who is connected."""

    def __init__(self) -> None:
        self._sockets: set[web.WebSocketResponse] = set()

    async def page(self, _request: web.Request) -> web.Response:
        return web.Response(text=_PAGE, content_type="text/html")

    async def health(self, _request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def echo(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(max_msg_size=_MAX_MESSAGE, heartbeat=60.0)
        await socket.prepare(request)
        self._sockets.add(socket)
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    await socket.send_str(message.data)
                elif message.type is WSMsgType.BINARY:
                    await socket.send_bytes(message.data)
        finally:
            self._sockets.discard(socket)
        return socket

    async def tell(self, request: web.Request) -> web.Response:
        """Sends `{"id": ..., "value": ...}` to everybody."""
        told = {name: request.query.get(name, "") for name in ("id", "value")}
        if not all(0 < len(text) <= _MAX_TEXT for text in told.values()):
            raise web.HTTPBadRequest(text=f"expected id and value, of 1 to {_MAX_TEXT} characters\n")
        sockets = list(self._sockets)
        await asyncio.gather(*(each.send_str(json.dumps(told)) for each in sockets), return_exceptions=True)
        return web.json_response({"sent": len(sockets)})

    async def close(self, _app: web.Application) -> None:
        for socket in list(self._sockets):
            await socket.close(code=1001, message=b"the server ends")


def websockets() -> web.Application:
    app = application()
    listeners = Listeners()
    app.router.add_get("/", listeners.page)
    app.router.add_get("/health", listeners.health)
    app.router.add_get("/ws", listeners.echo)
    app.router.add_get("/api", listeners.tell)
    app.on_shutdown.append(listeners.close)
    return app


def main() -> None:
    parser = argparse.ArgumentParser(description="A page and an echo over WebSockets")
    parser.add_argument("--port", type=int, default=8888)
    run(websockets(), [parser.parse_args().port])


if __name__ == "__main__":
    main()
