"""A gRPC application without a proxy, as tests drive it: `python -m lateen.testing.grpc_application`.

Its gRPC library reads its bootstrap once in a process (GRPC_XDS_BOOTSTRAP_CONFIG), so it has a process of its own. Each
line on standard input is a command in JSON, and has one line for an answer; see `lateen.testing.proxyless`.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from grpc.experimental import insecure_channel_credentials

SERVICE = "test.Echo"
METHOD = f"/{SERVICE}/Say"
_TOGETHER = 20
"""Calls at a time."""


class _Echo:
    """Says a word. A request in JSON may ask for time to pass, or for calls to fail before one does not."""

    def __init__(self, word: str, *, by_xds: bool) -> None:
        self._word = word
        self._by_xds = by_xds
        self._lock = threading.Lock()
        self._asked: dict[str, int] = {}

    def say(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        wish = json.loads(request)
        time.sleep(wish.get("seconds", 0))
        if self._is_to_fail(wish):
            if self._by_xds:
                # Such a server of grpcio 1.85 ends its process when there is nothing before an error (pipe.h).
                context.send_initial_metadata(())
            context.abort(grpc.StatusCode.UNAVAILABLE, "as asked")
        return self._word.encode()

    def _is_to_fail(self, wish: dict[str, Any]) -> bool:
        """The first `failures` calls of a `key`."""
        with self._lock:
            asked = self._asked.get(wish.get("key", ""), 0)
            self._asked[wish.get("key", "")] = asked + 1
        return bool(asked < wish.get("failures", 0))


def serve(word: str, address: str, *, by_xds: bool) -> grpc.Server:
    """A server; `by_xds`: it listens when xDS has said how."""
    server = grpc.server(ThreadPoolExecutor(_TOGETHER), xds=by_xds)
    handler = grpc.unary_unary_rpc_method_handler(_Echo(word, by_xds=by_xds).say)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {"Say": handler}),))
    if by_xds:
        credentials = grpc.xds_server_credentials(grpc.insecure_server_credentials())
        server.add_secure_port(address, credentials)
    else:
        server.add_insecure_port(address)
    server.start()
    return server


class _Client:
    """Calls, over one channel for each target."""

    def __init__(self) -> None:
        self._channels: dict[tuple[str, bool, str], grpc.Channel] = {}
        self._pool = ThreadPoolExecutor(_TOGETHER)

    def call(self, command: dict[str, Any]) -> list[str]:
        channel = self._channel(command["call"], command["secure"], command.get("authority", ""))
        say = channel.unary_unary(command.get("method", METHOD))
        return list(self._pool.map(lambda _: self._once(say, command), range(command["count"])))

    def _channel(self, target: str, secure: bool, authority: str) -> grpc.Channel:
        found = self._channels.get((target, secure, authority))
        if found is None:
            options = [("grpc.default_authority", authority)] if authority else []
            if secure:
                found = grpc.secure_channel(
                    target, grpc.xds_channel_credentials(insecure_channel_credentials()), options
                )
            else:
                found = grpc.insecure_channel(target, options)
            self._channels[target, secure, authority] = found
        return found

    @staticmethod
    def _once(say: Any, command: dict[str, Any]) -> str:
        try:
            answer: bytes = say(
                json.dumps(command.get("wish", {})).encode(),
                metadata=tuple(command["metadata"].items()),
                timeout=command["timeout"],
                wait_for_ready=command["waits"],
            )
            return answer.decode()
        except grpc.RpcError as error:
            return f"{error.code().name}: {error.details()}"


def main() -> None:
    """Until standard input ends."""
    client, servers = _Client(), []
    for line in sys.stdin:
        command = json.loads(line)
        if "serve" in command:
            servers.append(serve(command["word"], command["serve"], by_xds=command["by_xds"]))
            answer: Any = "serving"
        else:
            answer = client.call(command)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
