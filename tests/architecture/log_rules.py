"""What is logged is an event with a constant name, and fields; found in the text of a module."""

import ast
import re
from collections.abc import Iterator, Mapping
from typing import Final

EVENT: Final = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
LEVELS: Final = frozenset({"debug", "info", "warning", "warn", "error", "critical", "exception", "msg", "log"})
LOGS: Final = frozenset({"log", "logger", "logging"})
MAKERS: Final = frozenset({"get_logger", "getLogger", "bind"})
LOOPS: Final = frozenset({"Loop", "make_loop"})


def events_logged(source: str) -> list[str]:
    """List the events that a module logs or reports as faults; of what is no constant the expression, in braces."""
    tree = ast.parse(source)
    constants = dict(_constants(tree))
    return [_text(call.args[0], constants) for call in _lines(tree)]


def faults_reported(source: str) -> list[str]:
    """List those of the events that are counted in `faults_total` as well; of what is no constant the expression."""
    tree = ast.parse(source)
    constants = dict(_constants(tree))
    return [_text(call.args[0], constants) for call in _lines(tree) if _is_fault(call)]


def log_violations(source: str) -> list[str]:
    """Report each line of a log whose event is no constant name, or that fills values into a text."""
    tree = ast.parse(source)
    constants = dict(_constants(tree))
    return [
        f"{call.lineno}: logs {ast.unparse(call)}"
        for call in _lines(tree)
        if not EVENT.fullmatch(_text(call.args[0], constants)) or (len(call.args) > 1 and not _is_fault(call))
    ]


def loop_names(source: str) -> list[str]:
    """List the names of the loops that a module makes: `<name>_failed` is the event of their faults."""
    tree = ast.parse(source)
    calls = [call for call in ast.walk(tree) if isinstance(call, ast.Call) and _last(call.func) in LOOPS]
    given = [argument for call in calls for argument in call.args]
    # Or they stand in a table, each before the method that the loop calls.
    table = [node.elts[0] for node in ast.walk(tree) if calls and isinstance(node, ast.Tuple) and _is_entry(node)]
    return [node.value for node in (*given, *table) if isinstance(node, ast.Constant) and isinstance(node.value, str)]


def _is_entry(node: ast.Tuple) -> bool:
    return len(node.elts) > 1 and isinstance(node.elts[1], ast.Attribute)


def _lines(tree: ast.AST) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args and (_is_fault(node) or _is_line(node)):
            yield node


def _is_fault(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and call.func.attr == "fault"


def _is_line(call: ast.Call) -> bool:
    function = call.func
    return isinstance(function, ast.Attribute) and function.attr in LEVELS and _is_log(function.value)


def _is_log(owner: ast.expr) -> bool:
    if isinstance(owner, ast.Call):
        return _last(owner.func) in MAKERS
    return _last(owner).lstrip("_") in LOGS


def _text(node: ast.expr, constants: Mapping[str, str]) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.Name) and node.id in constants:
        return constants[node.id]
    return f"{{{ast.unparse(node)}}}"


def _constants(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield the texts that have a name in the module, in capitals."""
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str(text))) if name.isupper():
                yield name, text
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.Constant(value=str(text))) if name.isupper():
                yield name, text


def _last(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
