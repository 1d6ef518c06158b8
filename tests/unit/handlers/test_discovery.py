"""Handlers are found where operators and packages say, and a source without any is refused in one line."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scheduler.adapters.handlers.discovery import HandlersNotFoundError, find_handlers, has_entry_points
from scheduler.handlers import HandlerDeclarationError

RESIZE = """
from scheduler.handlers import JobContext, handler

@handler("image.resize")
def resize(payload: int, context: JobContext) -> None: ...
"""
Write = Callable[[str, str], None]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Write modules of a user into the current directory; they are forgotten at the end."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    known = set(sys.modules)

    def write(path: str, text: str) -> None:
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")

    yield write
    for name in set(sys.modules) - known:
        del sys.modules[name]


def types(*modules: str) -> list[str]:
    return [one.job_type for one in find_handlers(modules)]


def refusal(*modules: str) -> HandlersNotFoundError:
    with pytest.raises(HandlersNotFoundError) as caught:
        find_handlers(modules)
    assert "\n" not in str(caught.value)
    return caught.value


def an_installed_package(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str) -> None:
    write("site/shop-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: shop\nVersion: 1.0\n")
    write("site/shop-1.0.dist-info/entry_points.txt", f"[scheduler.handlers]\nthumbnails = {target}\n")
    monkeypatch.syspath_prepend(tmp_path / "site")


def test_a_module_below_the_current_directory_is_found(write: Write) -> None:
    write("shop/tasks.py", RESIZE)

    assert types("shop.tasks") == ["image.resize"]


def test_the_current_directory_comes_first_and_stays_importable(write: Write) -> None:
    write("shop.py", RESIZE)
    find_handlers(["shop"])

    assert sys.path[0] == str(Path.cwd())
    assert sys.path.count(str(Path.cwd())) == 1


def test_a_handler_that_two_modules_show_is_one(write: Write) -> None:
    write("shop/tasks.py", RESIZE)
    write("shop/all.py", "from shop.tasks import resize\nagain = resize\n")

    assert types("shop.tasks", "shop.all") == ["image.resize"]


@pytest.mark.parametrize("target", ["shop.tasks", "shop.tasks:resize"])
def test_an_entry_point_names_a_module_or_a_handler(
    target: str, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("site/shop/tasks.py", RESIZE)
    assert not has_entry_points()

    an_installed_package(write, tmp_path, monkeypatch, target)

    assert has_entry_points()
    assert types() == types("shop.tasks") == ["image.resize"]


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("shop.nowhere", "ModuleNotFoundError: No module named 'shop.nowhere'"),
        ("shop.tasks:nothing", "AttributeError: module 'shop.tasks' has no attribute 'nothing'"),
        ("shop.tasks:number", "is 7, neither a module nor a handler"),
        ("shop", "it has no function at its top level that is decorated with @handler"),
    ],
)
def test_a_useless_entry_point_is_named_with_its_package(
    target: str, reason: str, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("site/shop/__init__.py", "")
    write("site/shop/tasks.py", f"number = 7\n{RESIZE}")
    an_installed_package(write, tmp_path, monkeypatch, target)

    assert str(refusal()) == f"no handlers from entry point 'thumbnails' ({target}) of package 'shop': {reason}"


@pytest.mark.parametrize("name", ["nowhere", "shop.nowhere", "shop.tasks.nowhere", "nowhere.tasks"])
def test_a_missing_module_is_named_without_a_traceback(name: str, write: Write) -> None:
    write("shop/tasks.py", RESIZE)
    error = refusal(name)

    assert str(error).startswith(f"no handlers from module {name!r}: No module named ")
    assert error.trace == ""


def test_a_module_without_handlers_is_refused(write: Write) -> None:
    write("shop.py", "from scheduler.handlers import handler\n")

    assert str(refusal("shop")) == (
        "no handlers from module 'shop': it has no function at its top level that is decorated with @handler"
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import nowhere", "ModuleNotFoundError: No module named 'nowhere'"),
        ("raise ValueError('first\\nsecond')", "ValueError: first"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
    ],
)
def test_what_a_module_raises_is_shown_from_its_own_first_line(text: str, reason: str, write: Write) -> None:
    write("shop.py", text)
    error = refusal("shop")

    assert str(error) == f"no handlers from module 'shop': {reason}"
    first, place, *_ = error.trace.splitlines()
    assert first == "Traceback (most recent call last):"
    assert place == f'  File "{Path.cwd() / "shop.py"}", line 1, in <module>'


def test_a_module_that_is_not_python_is_shown_where_it_is_not(write: Write) -> None:
    write("shop.py", "def (\n")

    assert refusal("shop").trace.splitlines()[0] == f'  File "{Path.cwd() / "shop.py"}", line 1'


@pytest.mark.parametrize("as_entry_point", [False, True], ids=["module", "entry point"])
def test_a_bad_declaration_speaks_for_itself(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, as_entry_point: bool
) -> None:
    write("site/shop.py", "from scheduler.handlers import handler\n@handler('mail')\ndef send(to, context): ...\n")
    an_installed_package(write, tmp_path, monkeypatch, "shop" if as_entry_point else "os")

    place = r"handler shop\.send \(.*shop\.py:2\): parameter 'to' needs an annotation"
    with pytest.raises(HandlerDeclarationError, match=place):
        find_handlers([] if as_entry_point else ["shop"])
