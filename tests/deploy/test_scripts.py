"""Shell scripts are free of what shellcheck knows to go wrong."""

from tests.deploy.tools import DEPLOY, ROOT, passes


def test_scripts_pass_shellcheck() -> None:
    folders = [ROOT / ".ci", ROOT / "scripts", DEPLOY / "systemd"]
    files = [file for folder in folders for file in folder.iterdir()]
    shells = [
        file
        for file in files
        if file.is_file() and file.read_bytes()[:16].startswith((b"#!/bin/sh", b"#!/usr/bin/env b"))
    ]
    assert len(shells) >= 4
    passes(["shellcheck", *shells])
