"""A web service on loopback for the demo's http_call jobs."""

from collections import Counter
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from threading import Lock, Thread
from typing import Final, Self

from scheduler.entrypoints.stack import HOST

OPEN, BUSY, MISSING = "/open", "/busy", "/missing"
GREETING: Final = "hello"


class WebService:
    """Answers `/open` at once and `/busy` from the second attempt on; nothing else is there. Counts calls by job."""

    def __init__(self) -> None:
        """Take a free port."""
        self._calls: Counter[str] = Counter()
        self._lock = Lock()
        service = self

        class Answers(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                service._note(self.headers["Idempotency-Key"])
                self._answer(_status(self.path, int(self.headers["X-Job-Attempt"])))

            def _answer(self, status: HTTPStatus) -> None:
                self.rfile.read(int(self.headers["Content-Length"] or 0))
                self.send_response(status)
                self.end_headers()
                self.wfile.write(GREETING.encode())

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingTCPServer((HOST, 0), Answers)
        self._thread = Thread(target=self._server.serve_forever, name="web service of the demo")

    @property
    def address(self) -> str:
        """Return what its pages' addresses begin with."""
        return f"http://{HOST}:{self._server.server_address[1]}"

    @property
    def calls(self) -> Mapping[str, int]:
        """Return how often each job has called, by its id."""
        with self._lock:
            return dict(self._calls)

    def __enter__(self) -> Self:
        """Serve."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _note(self, job_id: str) -> None:
        with self._lock:
            self._calls[job_id] += 1


def _status(path: str, attempt: int) -> HTTPStatus:
    match path:
        case "/open":
            return HTTPStatus.OK
        case "/busy":
            return HTTPStatus.SERVICE_UNAVAILABLE if attempt == 1 else HTTPStatus.OK
        case _:
            return HTTPStatus.NOT_FOUND
