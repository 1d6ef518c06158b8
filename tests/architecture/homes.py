"""An import-linter contract: every library has a home, and nothing else imports it."""

import sys
from typing import cast

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


def homes_from(lines: list[str]) -> dict[str, list[str]]:
    """Read ``library: package, package`` lines."""
    pairs = (line.split(":", 1) for line in lines)
    return {library.strip(): [home.strip() for home in homes.split(",")] for library, homes in pairs}


def is_within(module: str, packages: list[str]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def strangers(graph: ImportGraph, homes: dict[str, list[str]]) -> list[tuple[str, str]]:
    """List (importer, library) for each import outside the library's home; the standard library is free."""
    libraries = {module for module in graph.modules if graph.is_module_squashed(module)}
    return sorted(
        (importer, library)
        for library in libraries
        if library.split(".")[0] not in sys.stdlib_module_names
        for importer in graph.find_modules_that_directly_import(library)
        if not is_within(importer, homes.get(library.split(".")[0], []))
    )


class HomesContract(Contract):
    """Unlike ``forbidden`` contracts it needs no list of everybody else, and refuses unlisted libraries."""

    type_name = "homes"

    homes = fields.ListField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: FBT001 - the base class's
        """Break when a library is imported outside its home."""
        lines = cast("list[str]", self.homes)  # import-linter replaces the field by its value
        found = strangers(graph, homes_from(lines))
        return ContractCheck(kept=not found, metadata={"strangers": found})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Name each import that has to move."""
        for importer, library in check.metadata["strangers"]:
            output.print_error(f"- {importer} -> {library} (not its home)", bold=False)
