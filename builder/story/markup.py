"""HTML and SVG as elements, never as text: whatever a file says is escaped, because nothing else is possible."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from xml.etree.ElementTree import Element, tostring

Child = Element | str


def element(tag: str, *children: Child, **attributes: object) -> Element:
    """`element("p", "some ", element("b", "text"), class_="lead")`; an attribute that is None is left out."""
    node = Element(tag)
    for name, value in attributes.items():
        if value is not None:
            node.set(name.rstrip("_").replace("_", "-"), str(value))
    for child in children:
        if isinstance(child, Element):
            node.append(child)
        elif len(node):
            node[-1].tail = (node[-1].tail or "") + child
        else:
            node.text = (node.text or "") + child
    return node


def paragraph(*children: Child, class_: str | None = None) -> Element:
    """A paragraph of text."""
    return element("p", *children, class_=class_)


def code(text: str) -> Element:
    """A name of the run: a file, a scene, a command."""
    return element("code", text)


def table(columns: Sequence[str], rows: Iterable[Sequence[Child]], *, texts: int = 1) -> Element:
    """The first `texts` columns are words, the others figures. Wide ones scroll in their own box."""

    def cell(tag: str, place: int, content: Child) -> Element:
        return element(tag, content, class_=None if place < texts else "figure")

    head = element("tr", *(cell("th", place, name) for place, name in enumerate(columns)))
    body = [element("tr", *(cell("td", place, one) for place, one in enumerate(row))) for row in rows]
    whole = element("table", element("thead", head), element("tbody", *body))
    return element("div", whole, class_="table", tabindex=0, role="region", aria_label=f"Table: {columns[0]}")


def as_html(page: Element) -> bytes:
    """The page as a file; a name that is no text at all shows a question mark."""
    return b"<!DOCTYPE html>\n" + tostring(page, encoding="unicode", method="html").encode("utf-8", "replace")
