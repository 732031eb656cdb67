"""Pages of HTML that need nothing beside them: tables, and figures inside the text."""

import base64
import html
import io
from collections.abc import Sequence
from typing import Any

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;color:#20242c;max-width:1080px}
body{margin:2em auto;padding:0 1em}
h1{font-size:1.7em;margin-bottom:.1em}h2{margin-top:2em;border-bottom:1px solid #d5d9e0}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}
td,th{padding:.25em .9em;text-align:right;border-bottom:1px solid #e6e8ec}
td:first-child,th:first-child{text-align:left}img{max-width:100%;display:block;margin:1em auto}
.bad{color:#a4262c;font-weight:600}.good{color:#2b6a3f;font-weight:600}.quiet{color:#667}
pre{background:#f5f6f8;padding:1em;overflow:auto;font-size:13px}
"""


def document(title: str, parts: Sequence[str]) -> str:
    """A whole page of parts that are HTML already; the title is plain text."""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta name="generator" content="synax"><title>{html.escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body>{''.join(parts)}</body></html>\n"
    )


def table(head: list[str], rows: list[list[str]]) -> str:
    """A table of cells that are HTML already."""
    line = lambda cells, tag: "<tr>" + "".join(f"<{tag}>{c}</{tag}>" for c in cells) + "</tr>"
    return f"<table>{line(head, 'th')}{''.join(line(r, 'td') for r in rows)}</table>"


def image(figure: Any, alternative: str) -> str:
    """A figure inside the page, with a text for those who do not see it."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, facecolor="white")
    return embedded(buffer.getvalue(), alternative)


def embedded(png: bytes, alternative: str) -> str:
    """A picture inside the page."""
    text = base64.b64encode(png).decode()
    return f'<img alt="{html.escape(alternative)}" src="data:image/png;base64,{text}">'
