"""A guide in Markdown as its reader uses it: files are written, commands are run."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"# (\S+)\n")
PATIENCE_SECONDS = 90.0


@dataclass(frozen=True, slots=True)
class Guide:
    """The code blocks of a page: commands in `sh`, and in any other language files whose first line is their name."""

    text: str

    def files(self) -> Mapping[str, str]:
        """Return the files by their names."""
        return {_name(block): block for language, block in _BLOCK.findall(self.text) if language != "sh"}

    def commands(self) -> Sequence[str]:
        """Return the command blocks in their order."""
        return [block for language, block in _BLOCK.findall(self.text) if language == "sh"]


def _name(block: str) -> str:
    first = _FILE.match(block)
    assert first is not None, f"a block without the name of its file: {block[:80]}"
    return first[1]


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody who follows the guide in a folder of their own."""

    folder: Path
    environment: Mapping[str, str]

    def write(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")

    def run(self, commands: str) -> str:
        """Run a block of commands, each of which must succeed; return what they print."""
        done = subprocess.run(
            ["sh", "-euc", commands],
            cwd=self.folder,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"{commands}{done.stdout}"
        return done.stdout

    @contextmanager
    def running(self, command: str) -> Iterator[subprocess.Popen[str]]:
        """Run a block that is one command without an end, until it is stopped as Ctrl-C does."""
        log = self.folder / "running.log"
        with (
            log.open("w") as output,
            subprocess.Popen(
                shlex.split(command),
                cwd=self.folder,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
            ) as process,
        ):
            try:
                yield process
            finally:
                process.terminate()
                code = process.wait(PATIENCE_SECONDS)
        assert code == 0, log.read_text()

    def _environment(self) -> Mapping[str, str]:
        programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return {**os.environ, "PATH": programs, **self.environment}
