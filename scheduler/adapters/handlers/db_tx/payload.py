"""What a job of this type asks for."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Final

from scheduler.adapters.handlers.db_tx.outline import outline_of
from scheduler.adapters.handlers.db_tx.parameters import Parameter, bind, sendable
from scheduler.adapters.handlers.db_tx.raw_query import fault_of_raw
from scheduler.application.ports.handlers import PermanentError

FIELDS: Final = ("query", "statement", "params")
_INT_DIGITS: Final = 20
"""An integer of more digits is no int8, and Python refuses to read thousands of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One SQL statement with its parameters, ready to be sent."""

    sql: bytes
    parameters: Sequence[Parameter]


def read_payload(payload: str | None, allowed: Mapping[str, str] | None) -> Statement:
    """Read a payload: the name of one of the allowed statements, or a query where None says that any is allowed.

    Raises PermanentError, which begins with the name of the field.
    """
    document = _document(payload)
    name, sql = _named(document, allowed) if allowed is not None else _query(document)
    outline = outline_of(sql)
    if fault := outline.fault() or (fault_of_raw(sql) if allowed is None else None):
        raise PermanentError(f"{name}: {fault}")
    values = document.get("params", [])
    if not isinstance(values, list):
        raise PermanentError("params: must be an array")
    _check_count(name, outline.parameters, len(values))
    return Statement(sql=sendable(name, sql), parameters=bind(values))


def _document(payload: str | None) -> Mapping[str, object]:
    try:
        document: object = None if payload is None else _DECODER.decode(payload)
    except ValueError as error:
        raise PermanentError(f"payload: must be a JSON document: {error}") from error
    if not isinstance(document, dict):
        raise PermanentError("payload: must be an object with query (or statement) and params")
    for field in document:
        if field not in FIELDS:
            raise PermanentError(f"{field}: there is no such field, only {', '.join(FIELDS)}")
    return document


def _query(document: Mapping[str, object]) -> tuple[str, str]:
    if "statement" in document:
        raise PermanentError("statement: this worker has no named statements (DB_TX_ALLOWED_STATEMENTS); send a query")
    return "query", _text(document, "query")


def _named(document: Mapping[str, object], allowed: Mapping[str, str]) -> tuple[str, str]:
    if "query" in document:
        raise PermanentError(
            "query: this worker runs named statements only (DB_TX_ALLOWED_STATEMENTS; DB_TX_ALLOW_ANY_SQL is not set)"
        )
    name = _text(document, "statement")
    if name not in allowed:
        raise PermanentError(f"statement: {name!r} is not one of the allowed statements (DB_TX_ALLOWED_STATEMENTS)")
    return "statement", allowed[name]


def _text(document: Mapping[str, object], field: str) -> str:
    value = document.get(field)
    if not isinstance(value, str) or not value:
        raise PermanentError(f"{field}: must be a text that is not empty")
    return value


def _check_count(name: str, wanted: int, given: int) -> None:
    if given != wanted:
        raise PermanentError(f"params: must be {wanted} values, as many as the {name} has parameters, not {given}")


def _integer(digits: str) -> int | Decimal:
    return int(digits) if len(digits) <= _INT_DIGITS else _decimal(digits)


def _decimal(digits: str) -> Decimal:
    try:
        return Decimal(digits)
    except InvalidOperation as error:
        msg = f"{digits[:_INT_DIGITS]} is out of range"
        raise ValueError(msg) from error


def _refuse_constant(name: str) -> object:
    msg = f"{name} is not JSON"
    raise ValueError(msg)


_DECODER: Final = json.JSONDecoder(parse_float=_decimal, parse_int=_integer, parse_constant=_refuse_constant)
