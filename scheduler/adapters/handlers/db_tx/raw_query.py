"""What an SQL text that a submitter wrote may not hold.

The rights of the role are the boundary; this keeps a role that has more than it needs from being used for it. The one
rule on which a guarantee rests is that no text names the tables of the effects: a job cannot record another's.
"""

import re
from typing import Final
from unicodedata import normalize

from scheduler.adapters.handlers.db_tx.outline import pieces

# Searched in the whole text, strings and comments too, so that no misreading of the text hides a name.
_NAMES: Final = re.compile(
    r"""
    scheduler_effect\w*
  | (?<![\w$]) (?:
        pg_read_\w* | pg_ls_\w* | pg_stat_file | pg_file_\w* | lo_import | lo_export           # files of the server
      | pg_terminate_backend | pg_cancel_backend | pg_reload_conf | pg_rotate_logfile | pg_promote
      | set_config | pg_settings                                                               # set up the session
      | dblink\w* | query_to_xml\w* | cursor_to_xml\w* | ts_stat | ts_rewrite                  # run SQL from a string
      | crosstab\w* | connectby | xpath_table | crdb_internal
    ) (?![\w$])
    """,
    re.VERBOSE,
)
_INNER = "ALTER|BACKUP|COPY|CREATE|DROP|EXPORT|GRANT|IMPORT|RESET|RESTORE|REVOKE|SET"
# Searched in the text's shape: its pieces with a space around each, words in capitals, strings left out.
_SHAPES: Final = tuple(
    (re.compile(pattern), fault)
    for pattern, fault in (
        ("^ DO ", "must not be a DO block"),
        ("(?<! INSERT)(?<! MERGE)(?<! UPSERT) INTO ", "must not select INTO a table"),
        (rf" [(\[] (?:{_INNER}) [A-Z]", "must not hold a command that changes more than rows"),
        (r" \[ (?:[0-9] )++(?:\( (?:[0-9,] )*+\) )?+AS ", "must not name a table by its number"),
    )
)


def fault_of_raw(text: str) -> str | None:
    """Say why a text that is one statement is not run for a submitter, or None."""
    if name := _NAMES.search(normalize("NFKC", text).casefold()):
        return f"must not name {name.group()}, not in a string either: values belong in params"
    if 'u&"' in text.lower():
        return 'must not write names as U&"…"'
    shape = _shape(text)
    return next((fault for pattern, fault in _SHAPES if pattern.search(shape)), None)


def _shape(text: str) -> str:
    return "".join(f" {_sign(kind, piece)}" for kind, piece in pieces(text)) + " "


def _sign(kind: str, piece: str) -> str:
    match kind:
        case "word":
            return piece.upper()
        case "opening" | "other":
            return piece
        case _:
            return "'"
