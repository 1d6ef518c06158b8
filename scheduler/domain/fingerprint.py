"""What errors of one kind have in common: the job's type, and the message without what differs from case to case."""

import re
from hashlib import blake2b
from typing import Final

DIGEST_BYTES: Final = 8
MAX_LINES: Final = 3
MAX_CHARACTERS: Final = 500
_MAX_READ: Final = 2_000
"""Before the placeholders, which are shorter than most of what they stand for."""

# One pass, the first that matches wins. A number behind a word that makes it name a kind of error stays.
_VARYING: Final = re.compile(
    r"""
      (?P<kept> \b (?:http | status | code | errno | exit | signal) \b [^\w\n]{0,3} \d{1,5} \b )
    | (?P<quoted> (?<!\w) (?: '[^'\n]*' | "[^"\n]*" | `[^`\n]*` ) (?!\w) )
    | (?P<email> [\w.+-]+ @ [\w-]+ (?: \.[\w-]+ )+ )
    | (?P<uuid> \b [0-9a-f]{8} (?: -[0-9a-f]{4} ){3} -[0-9a-f]{12} \b )
    | (?P<time> \b \d{4}-\d\d-\d\d (?: [T\ ] \d\d:\d\d (?: :\d\d (?:[.,]\d+)? )? )? (?: Z | [+-]\d\d:?\d\d )?
        | \b \d{1,2}:\d\d:\d\d (?:[.,]\d+)? \b )
    | (?P<address> (?<![\w:.]) (?= [0-9a-f:]*\d ) (?: [0-9a-f]{0,4} : ){2,7} [0-9a-f]{0,4} (?![\w:])
        | \b \d{1,3} (?: \.\d{1,3} ){3} (?: :\d+ )? \b )
    | (?P<hex> \b 0x[0-9a-f]+ \b | \b (?= [a-f]*\d ) [0-9a-f]{8,} \b )
    | (?P<id> \b (?= [a-z_]*\d ) (?= \d*[a-z_] ) \w{12,} \b )
    | (?P<number> (?: (?<!\w)[+-] )? \d+ (?: [.,]\d+ )* )
    """,
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)


def fingerprint(job_type: str, error: str) -> str:
    """Return 16 hexadecimal digits, the same for jobs of one type that failed in the same way."""
    content = f"{job_type}\0{normalised(error)}".encode(errors="replace")
    return blake2b(content, digest_size=DIGEST_BYTES).hexdigest()


def normalised(error: str) -> str:
    """Return the first lines of a message with placeholders for ids, numbers, times, addresses and quoted texts."""
    lines = (line for line in error[:_MAX_READ].splitlines() if line.strip())
    head = "\n".join(line for line, _ in zip(lines, range(MAX_LINES), strict=False))
    return " ".join(_VARYING.sub(_placeholder, head).split())[:MAX_CHARACTERS]


def _placeholder(match: re.Match[str]) -> str:
    return match[0] if match.lastgroup == "kept" else f"<{match.lastgroup}>"
