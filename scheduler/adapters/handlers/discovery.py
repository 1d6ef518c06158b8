"""Finds users' handlers: in the modules that an operator names, and in those of installed packages."""

import importlib
import sys
import traceback
from collections.abc import Iterator, Sequence
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType

from scheduler.adapters.handlers.declaration import HandlerDeclarationError
from scheduler.adapters.handlers.definition import AnyDefinition, HandlerDefinition
from scheduler.domain.errors import SchedulerError

ENTRY_POINT_GROUP = "scheduler.handlers"
_IMPORT_MACHINERY = ("<frozen importlib", importlib.__file__, importlib.metadata.__file__, __file__)


class HandlersNotFoundError(SchedulerError):
    """A module or entry point gives no handlers; `trace` shows where the user's own code raised, if it did."""

    def __init__(self, source: str, reason: str, trace: str = "") -> None:
        """Say what was looked at, and what is wrong with it."""
        super().__init__(f"no handlers from {source}: {reason}")
        self.trace = trace


def has_entry_points() -> bool:
    """Tell whether an installed package brings handlers."""
    return bool(entry_points(group=ENTRY_POINT_GROUP))


def find_handlers(modules: Sequence[str]) -> Sequence[AnyDefinition]:
    """Return the definitions of these modules and of all entry points, each once.

    The current directory can be imported from, as with `python -m`. Raises HandlersNotFoundError for a source without
    handlers, and HandlerDeclarationError.
    """
    if modules:
        _allow_current_directory()
    found = [one for name in modules for one in _definitions(f"module {name!r}", _import(name))]
    for point in entry_points(group=ENTRY_POINT_GROUP):
        found.extend(_definitions(_title(point), _load(point)))
    # A definition may be seen from several modules; it is the same one.
    return list({id(one): one for one in found}.values())


def _allow_current_directory() -> None:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)


def _import(name: str) -> object:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{name}.".startswith(f"{error.name}."):
            raise HandlersNotFoundError(f"module {name!r}", str(error)) from error
        raise _raised_by_user(f"module {name!r}", error) from error
    except HandlerDeclarationError:
        raise
    except (Exception, SystemExit) as error:
        raise _raised_by_user(f"module {name!r}", error) from error


def _load(point: EntryPoint) -> object:
    try:
        return point.load()
    except HandlerDeclarationError:
        raise
    except (Exception, SystemExit) as error:
        raise _raised_by_user(_title(point), error) from error


def _title(point: EntryPoint) -> str:
    package = "" if point.dist is None else f" of package {point.dist.name!r}"
    return f"entry point {point.name!r} ({point.value}){package}"


def _raised_by_user(source: str, error: BaseException) -> HandlersNotFoundError:
    reason = f"{type(error).__name__}: {error}".splitlines()[0]
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename.startswith(_IMPORT_MACHINERY):
        frames = frames.tb_next
    return HandlersNotFoundError(source, reason, "".join(traceback.format_exception(type(error), error, frames)))


def _definitions(source: str, thing: object) -> Iterator[AnyDefinition]:
    if isinstance(thing, HandlerDefinition):
        yield thing
        return
    if not isinstance(thing, ModuleType):
        raise HandlersNotFoundError(source, f"is {thing!r}, neither a module nor a handler")
    found = [value for value in vars(thing).values() if isinstance(value, HandlerDefinition)]
    if not found:
        raise HandlersNotFoundError(source, "it has no function at its top level that is decorated with @handler")
    yield from found
