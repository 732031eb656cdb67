"""Writing TOML: values, keys and comments that nothing in them can leave."""

import json
import math
import re
from typing import Any


def toml_value(value: Any) -> str:
    """A plain value as TOML on one line; strings are escaped, so that they stay strings.

    **Raises** `TypeError` for what TOML cannot say.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return toml_string(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return (
            repr(value)
            if math.isfinite(value)
            else {"inf": "inf", "-inf": "-inf"}.get(repr(value), "nan")
        )
    if isinstance(value, list | tuple):
        return "[" + ", ".join(toml_value(item) for item in value) + "]"
    if isinstance(value, dict):
        items = ", ".join(f"{toml_key(k)} = {toml_value(item)}" for k, item in value.items())
        return "{ " + items + " }"
    raise TypeError(f"TOML has no value for {type(value).__name__}")


def toml_string(text: str) -> str:
    """A basic string: control characters, quotes and backslashes escaped."""
    # JSON's escapes are all TOML's; lone surrogates are no Unicode and become a question mark
    escaped = json.dumps(text.encode("utf-8", "replace").decode("utf-8"), ensure_ascii=False)
    return re.sub(r"[\x7f-\x9f\u2028\u2029]", lambda m: f"\\u{ord(m[0]):04x}", escaped)


def toml_key(name: str) -> str:
    """A key: bare where it may be, quoted elsewhere."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else toml_string(name)


def toml_comment(text: str) -> str:
    """A comment on one line; what would end the line is shown escaped."""
    safe = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return f"# {safe.encode('utf-8', 'replace').decode('utf-8')}"


def toml_document(tree: dict[str, Any], comments: list[str]) -> str:
    """Nested data as TOML: comments, values of the top level, then one table for each dict."""
    tables = {k: x for k, x in tree.items() if isinstance(x, dict)}
    lines = [toml_comment(comment) for comment in comments] + [""]
    lines += [f"{toml_key(k)} = {toml_value(x)}" for k, x in tree.items() if k not in tables]
    for name, table in tables.items():
        lines += ["", f"[{toml_key(name)}]"]
        lines += [f"{toml_key(k)} = {toml_value(x)}" for k, x in table.items()]
    return "\n".join(lines) + "\n"
