"""A web shop on loopback, and the workers that may or may not call it."""

import json
from contextlib import AsyncExitStack

from scheduler.entrypoints.children import Child
from scheduler.entrypoints.stack import Stack
from scheduler.entrypoints.testing.background_loop import BackgroundLoop
from tests.acceptance.processes import sibling, stop
from tests.support.http_target import Answer, HttpTarget, answering, response, serving

SECRET = "key-of-the-shop"
THANKS = response(body=b"thank you")


class Shop:
    """Thanks for each call unless it is told otherwise."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._loop = BackgroundLoop()
        self._open = AsyncExitStack()
        self.server: HttpTarget = self._loop.run(self._open.enter_async_context(serving(answering(THANKS))))
        self._workers = list[Child]()

    def answers(self, answer: Answer) -> None:
        self.server.answer = answer

    def send_worker(self, **environment: str) -> None:
        """Start a worker, which logs all that it ever would."""
        name = f"shop-{len(self._workers)}-{self.server.port}"
        worker = sibling(self._stack.worker, name, METRICS_PORT=0, LOG_LEVEL="DEBUG", **environment)
        worker.start()
        self._workers.append(worker)

    def order(self) -> str:
        """Write the payload of a call, with the secret wherever it may stand."""
        url = self.server.url(f"/orders?key={SECRET}")
        headers = {"authorization": f"Bearer {SECRET}"}
        return json.dumps({"url": url, "method": "POST", "headers": headers, "body": {"order": 17}})

    @property
    def logs(self) -> str:
        """Return what the workers have logged."""
        return "".join(worker.log.read_text() for worker in self._workers if worker.log is not None)

    def close(self) -> None:
        """Stop all workers, then the shop."""
        for worker in self._workers:
            stop(worker)
        self._loop.run(self._open.aclose())
        self._loop.close()
