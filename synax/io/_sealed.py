"""Files that carry the SHA-256 of their content, so that a changed bit is found.

HDF5 and zip readers ignore what follows the end of their data: there stand 78 bytes,
`synax-sha256:` and the digest of all before it. Documents in JSON have it as their last key.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from ._plain_json import dumps

_MARK = b"synax-sha256:"
_LENGTH = len(_MARK) + 65
KEY = "sha256"


class DamagedFile(ValueError):
    """A file is not as it was written; the message names it."""


def seal(content: bytes) -> bytes:
    """The content with its digest behind it."""
    return content + _MARK + hashlib.sha256(content).hexdigest().encode() + b"\n"


def is_sealed(content: bytes) -> bool:
    """Whether there is a digest at the end."""
    return content[-_LENGTH:].startswith(_MARK)


def read_sealed(path: Path) -> bytes:
    """The content of a sealed file without its digest.

    **Raises** `DamagedFile` if the digest is missing or another; `OSError` naming the file.
    """
    whole = Path(path).read_bytes()
    if not is_sealed(whole):
        raise DamagedFile(f"'{path}' is damaged: it has no checksum at its end")
    content = whole[:-_LENGTH]
    if seal(content) != whole:
        raise DamagedFile(f"'{path}' is damaged: its checksum is another")
    return content


def seal_document(document: dict[str, Any]) -> str:
    """A document as JSON, with the digest of its other keys as the last one."""
    body = json.loads(dumps(document))
    return dumps({**body, KEY: _digest(body)}, indent=2) + "\n"


def read_document(path: Path) -> dict[str, Any]:
    """A JSON document that `seal_document` wrote, without the digest.

    **Raises** `DamagedFile` naming the file.
    """
    try:
        document = json.loads(Path(path).read_bytes().decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise DamagedFile(f"'{path}' is damaged: not valid JSON ({error})") from None
    except OSError as error:
        raise DamagedFile(f"'{path}' cannot be read: {error.strerror}") from None
    if not isinstance(document, dict) or KEY not in document:
        raise DamagedFile(f"'{path}' is damaged, or not of synax: it has no checksum")
    if document.pop(KEY) != _digest(document):
        raise DamagedFile(f"'{path}' is damaged: its checksum is another")
    return document


def _digest(document: dict[str, Any]) -> str:
    return hashlib.sha256(dumps(document, sort_keys=True).encode()).hexdigest()
