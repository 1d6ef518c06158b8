"""A target of db_tx jobs that can be closed and cut off, and the workers that are sent there."""

import json
import signal
from pathlib import Path
from urllib.parse import quote

from psycopg.conninfo import conninfo_to_dict

from scheduler.entrypoints.children import Child
from scheduler.entrypoints.stack import HOST, Stack
from tests.acceptance.processes import send, sibling, stop
from tests.chaos.network import Link
from tests.integration.db_tx_tools import Target
from tests.support.proxy import FaultProxy

ACCOUNTS = {"alice": 1, "bob": 2, "carol": 3}
PAY = (
    "UPDATE accounts SET balance = balance + CASE WHEN id = $1 THEN 0 - $3 ELSE $3 END"
    " WHERE id IN ($1, $2) RETURNING balance"
)


class Bank:
    """The database `target`, which workers reach over `link`."""

    def __init__(self, target: Target, link: Link, stack: Stack, folder: Path) -> None:
        self.target = target
        self.link = link
        self._stack = stack
        self._folder = folder
        self._workers = list[Child]()

    def balance(self, name: str) -> int:
        return self.target.balances()[ACCOUNTS[name]]

    def has_recorded(self, job_id: str) -> bool:
        return bool(self.target.rows("SELECT 1 FROM scheduler_effects WHERE job_id = %s", job_id))

    def send_worker(self, **environment: str) -> None:
        """Start a worker that may ask the bank for anything, unless the environment says otherwise."""
        environment = {"DB_TX_ALLOW_ANY_SQL": "true", **environment}
        name = f"bank-{len(self._workers)}"
        worker = sibling(self._stack.worker, name, METRICS_PORT=0, DB_TX_DATABASE_URL=self._url, **environment)
        worker.start()
        self._workers.append(worker)

    def send_worker_with(self, statement: str) -> None:
        """Start a worker that may run no more than the payment, under this name."""
        path = self._folder / "agreed.sql"
        path.write_text(f"-- What the bank agreed to.\n-- name: {statement}\n{PAY};\n")
        self.send_worker(DB_TX_ALLOWED_STATEMENTS=str(path), DB_TX_ALLOW_ANY_SQL="")

    def kill_worker(self) -> None:
        send(self._workers[-1], signal.SIGKILL)
        self._workers[-1].await_end()

    def close(self) -> None:
        self.link.do(FaultProxy.refuse)

    def fall_silent(self) -> None:
        self.link.do(FaultProxy.black_hole)

    def open(self) -> None:
        self.link.heal()

    def lose_word(self) -> None:
        """Keep the next reply to a COMMIT from its worker, which goes on waiting for it."""
        self.link.do(lambda proxy: proxy.lose_reply_to(b"COMMIT", cut=False))

    def leave(self) -> None:
        """Stop all workers."""
        for worker in self._workers:
            stop(worker)

    @property
    def _url(self) -> str:
        address = {name: str(value) for name, value in conninfo_to_dict(self.target.url).items()}
        login = f"{quote(address['user'])}:{quote(address['password'])}"
        return f"postgresql://{login}@{HOST}:{self.link.port}/{address['dbname']}"


def payment(amount: int, giver: str, taker: str, *, statement: str | None = None) -> str:
    """Write the payload of a payment."""
    params = [ACCOUNTS[giver], ACCOUNTS[taker], amount]
    return json.dumps({"params": params} | ({"query": PAY} if statement is None else {"statement": statement}))
