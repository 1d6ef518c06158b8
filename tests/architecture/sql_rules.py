"""What a statement must not hold, so that one text runs on CockroachDB 23.2+ and PostgreSQL 14+ alike."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from typing import Final

COMMENT: Final = re.compile(r"--.*$", re.MULTILINE)
LITERAL: Final = re.compile(r"'(?:[^']|'')*'")
STARTS_LIKE_SQL: Final = re.compile(
    r"\s*(?:SELECT|INSERT INTO|UPDATE \w+ SET|DELETE FROM|WITH \w+ AS|CREATE|ALTER|DROP|TRUNCATE|MERGE INTO|SET \w+)\b"
)

# Looked for in the whole text, for it stands inside literals.
IN_LITERALS: Final = {
    "a negative interval": r"interval\s*'[^']*-",
    "jsonpath": r"jsonb_path_|jsonpath|@\?|@@|'(?:strict|lax)?\s*\$[.\[]",
}
# Looked for outside of literals.
FORBIDDEN: Final = {
    "make_interval": r"\bmake_interval\b",
    "ids made by the server": r"\b(?:uuidv[47]|gen_random_uuid|uuid_generate_v\w+|unique_rowid)\b",
    "RETURNING old or new": r"\breturning\b[^;]*\b(?:old|new)\.",
    "an array of JSON": r"\bjsonb?\s*\[",
    "a division": r"/",
    "SERIAL": r"\b(?:small|big)?serial[248]?\b",
    "an enum type": r"\benum\b|\bcreate\s+type\b",
    "an advisory lock": r"advisory",
    "LISTEN or NOTIFY": r"\b(?:un)?listen\b|\bnotify\b|\bpg_notify\b",
    "SKIP LOCKED": r"\bskip\s+locked\b",
    "MERGE": r"\bmerge\s+into\b",
    "a DO block": r"^\s*do\b|\bdo\s+\$",
    "a temporary table": r"\btemp(?:orary)?\b",
    "ON CONFLICT ON CONSTRAINT": r"\bon\s+conflict\s+on\s+constraint\b",
    "USING HASH": r"\busing\s+hash\b",
    "FOR SHARE": r"\bfor\s+(?:key\s+)?share\b",
    "SELECT *": r"\bselect\s+(?:distinct\s+)?(?:\w+\.)?\*|,\s*\w+\.\*",
    "an order of NULLs": r"\bnulls\s+(?:first|last)\b",
    "a locale": r"\bcollate\b|\bilike\b|\b(?:lower|upper|initcap)\s*\(",
    "OFFSET": r"\boffset\b",
    "an integer type without its size": r"\b(?:int|integer|bigint|smallint)\b",
    "a float type without its size": r"\b(?:float|real|double\s+precision)\b",
    "a time without its zone": r"\btimestamp\b(?!\s+with\s+time\s+zone)",
    "a parameter without a cast": r"%\(\w+\)s(?!::)|%s",
    "a storage option": r"\bfillfactor\b|\bunlogged\b|\bconcurrently\b|\btablespace\b",
    "a second statement": r";\s*\S",
}
MUTATION: Final = re.compile(r"\b(?:insert\s+into|(?<!do\s)update|delete\s+from)\s+(\w+)", re.IGNORECASE)


def findings(statement: str) -> list[str]:
    """Name all that the statement must not hold."""
    text = COMMENT.sub("", statement)
    bare = LITERAL.sub("''", text)
    return [
        *(name for name, pattern in IN_LITERALS.items() if _found(pattern, text)),
        *(name for name, pattern in FORBIDDEN.items() if _found(pattern, bare)),
        *(f"two mutations of {table}" for table, count in _mutations(bare).items() if count > 1),
    ]


def statements_in(source: str) -> Iterator[str]:
    """Yield the string literals of a module that read like SQL."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
            text = node.value.decode(errors="replace") if isinstance(node.value, bytes) else node.value
            if STARTS_LIKE_SQL.match(text):
                yield text


def _found(pattern: str, text: str) -> bool:
    return re.search(pattern, text, re.IGNORECASE) is not None


def _mutations(text: str) -> Counter[str]:
    return Counter(table.lower() for table in MUTATION.findall(text) if table.lower() != "set")
