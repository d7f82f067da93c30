"""A small server on this machine that speaks the protocol of chat completions, or misbehaves as told."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HANG_UP = 0  # in place of a status: the connection ends without an answer
GOOD = '{"food": "Negative", "service": "Positive", "noise": "unknown", "label": "2"}'
USAGE = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}


@dataclass(frozen=True)
class Response:
    """What the server sends after ``delay`` seconds: ``body`` as bytes, or an object to be sent as JSON."""

    body: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0


def completion(content: Any, finish: str = "stop", usage: Any = USAGE, delay: float = 0.0) -> Response:
    choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": content}}
    counted = {} if usage is None else {"usage": usage}
    return Response({"object": "chat.completion", "choices": [choice], **counted}, delay=delay)


def failure(status: int, message: str = "no", code: str | None = None, **headers: str) -> Response:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response({"error": {"message": message, "code": code}}, status, names)


@dataclass
class Served:
    """A running server: where it is, and what it was asked."""

    url: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list)
    under_way: int = 0
    most_under_way: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def reviews(self) -> list[str]:
        """The reviews asked about, in the order in which they came."""
        return [
            request["body"]["messages"][-1]["content"].split("Review:\n")[-1] for request in self.requests
        ]


@contextmanager
def serve(answer: Callable[[int, str], Response]) -> Iterator[Served]:
    """Runs ``answer(number of the request from 0, review)`` for each request."""
    served = Served()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            request = {
                "path": self.path,
                "headers": dict(self.headers),
                "body": body,
                "time": time.monotonic(),
            }
            with served.lock:
                number = len(served.requests)
                served.requests.append(request)
                served.under_way += 1
                served.most_under_way = max(served.most_under_way, served.under_way)
            try:
                self._send(answer(number, served.reviews[number]))
            finally:
                with served.lock:
                    served.under_way -= 1

        def _send(self, response: Response) -> None:
            time.sleep(response.delay)
            if response.status == HANG_UP:
                self.close_connection = True
                return
            raw = isinstance(response.body, bytes)
            content = response.body if raw else json.dumps(response.body).encode()
            try:
                self.send_response(response.status)
                self.send_header("Content-Type", "text/html" if raw else "application/json")
                self.send_header("Content-Length", str(len(content)))
                for name, value in response.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True  # the client did not wait

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    served.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
