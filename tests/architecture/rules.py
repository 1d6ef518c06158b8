"""Rules about the text of a module that an import graph cannot express."""

import ast
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

# Takes the source of a module, gives what is wrong with it.
Rule = Callable[[str], list[str]]

ROOT: Final = Path(__file__).resolve().parents[2]
PACKAGE: Final = ROOT / "scheduler"
GENERATED: Final = PACKAGE / "adapters" / "grpc" / "pb"
SETTINGS: Final = PACKAGE / "entrypoints" / "settings.py"

# What a pure function may need. No clock, no randomness, no I/O, no concurrency.
PURE_MODULES: Final = frozenset(
    {
        "__future__", "abc", "base64", "bisect", "collections", "dataclasses", "datetime", "decimal", "enum",
        "functools", "hashlib", "heapq", "itertools", "json", "math", "operator", "re", "string", "types",
        "typing", "unicodedata", "uuid",
    }
)  # fmt: skip
# Ports give these to the application.
AMBIENT_MODULES: Final = frozenset(
    {
        "http", "multiprocessing", "os", "pathlib", "random", "secrets", "signal", "socket", "sqlite3",
        "subprocess", "tempfile", "urllib",
    }
)  # fmt: skip
# Reading a clock, drawing an identifier, touching the world.
CLOCK_READS: Final = frozenset({"now", "utcnow", "today"})
CLOCK_OWNERS: Final = frozenset({"datetime", "date"})
AMBIENT_FUNCTIONS: Final = {
    "uuid": frozenset({"uuid1", "uuid4", "uuid6", "uuid7", "getnode"}),
    # What handlers' threads share may be guarded here; whoever starts threads is an adapter.
    "threading": frozenset({"Thread", "Timer", "current_thread", "enumerate", "get_ident", "local", "main_thread"}),
    # Durations may be measured (monotonic); what time it is, and waiting, come through ports and asyncio.
    "time": frozenset({"time", "time_ns", "sleep", "localtime", "gmtime"}),
}
IMPURE_BUILTINS: Final = frozenset({"__import__", "eval", "exec", "input", "open", "print"})
ENVIRONMENT: Final = frozenset({"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"})


def modules_below(folder: Path) -> list[Path]:
    """List the hand-written modules below a folder."""
    return sorted(path for path in folder.rglob("*.py") if GENERATED not in path.parents)


def imported_modules(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield the line and the full name of each imported module; relative imports are refused by ruff (TID252)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, node.module or ""


def imports_beyond(tree: ast.AST, *, ours: tuple[str, ...], stdlib: frozenset[str]) -> Iterator[str]:
    """Report imports that are neither below one of our packages nor from the allowed standard library."""
    for line, name in imported_modules(tree):
        allowed = name.startswith(ours) if name.startswith("scheduler") else name.split(".")[0] in stdlib
        if not allowed:
            yield f"{line}: imports {name}"


def ambient_access(tree: ast.AST) -> Iterator[str]:
    """Report clock reads, drawn identifiers and builtins with effects."""
    aliases = dict(_ambient_aliases(tree))
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(attr=name, value=owner) if name in CLOCK_READS and _last(owner) in CLOCK_OWNERS:
                yield f"{node.lineno}: reads the clock with {name}"
            case ast.ImportFrom(module=str(module), names=names) if module in AMBIENT_FUNCTIONS:
                drawn = (alias.name for alias in names if alias.name in AMBIENT_FUNCTIONS[module])
                yield from (f"{node.lineno}: imports {module}.{name}" for name in drawn)
            case ast.Attribute(attr=name, value=owner) if name in aliases.get(_last(owner), ()):
                yield f"{node.lineno}: uses {ast.unparse(node)}"
            case ast.Call(func=ast.Name(id=name)) if name in IMPURE_BUILTINS:
                yield f"{node.lineno}: calls {name}"


def environment_access(tree: ast.AST) -> Iterator[str]:
    """Report reads and writes of the process environment."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(attr=name, value=ast.Name(id="os")) if name in ENVIRONMENT:
                yield f"{node.lineno}: uses os.{name}"
            case ast.ImportFrom(module="os", names=names):
                yield from (f"{node.lineno}: uses os.{a.name}" for a in names if a.name in ENVIRONMENT)


def domain_violations(source: str) -> list[str]:
    """Check one module of the domain: pure standard library, no ambient state."""
    tree = ast.parse(source)
    return [*imports_beyond(tree, ours=("scheduler.domain",), stdlib=PURE_MODULES), *ambient_access(tree)]


def application_violations(source: str) -> list[str]:
    """Check one module of the application: domain and standard library, the world only through ports."""
    tree = ast.parse(source)
    stdlib = frozenset(sys.stdlib_module_names) - AMBIENT_MODULES
    ours = ("scheduler.domain", "scheduler.application")
    return [*imports_beyond(tree, ours=ours, stdlib=stdlib), *ambient_access(tree)]


def environment_violations(source: str) -> list[str]:
    """Check one module anywhere but the settings: configuration arrives as arguments."""
    return list(environment_access(ast.parse(source)))


def _ambient_aliases(tree: ast.AST) -> Iterator[tuple[str, frozenset[str]]]:
    """Yield the names under which modules with ambient functions are known, with those functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            known = (alias for alias in node.names if alias.name in AMBIENT_FUNCTIONS)
            yield from ((alias.asname or alias.name, AMBIENT_FUNCTIONS[alias.name]) for alias in known)


def _last(node: ast.expr) -> str:
    """Name the last part of a dotted expression."""
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
