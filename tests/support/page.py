"""Reads a page as a visitor without JavaScript meets it."""

from __future__ import annotations

from html.parser import HTMLParser

_VOID = ("meta", "link", "input", "img", "br", "hr", "rect")


class Element:
    """One element: its tag, attributes and all the text in it."""

    def __init__(self, tag: str, attributes: dict[str, str]) -> None:
        self.tag = tag
        self.attributes = attributes
        self.inside: list[Element] = []
        self._texts: list[str] = []

    def add(self, text: str) -> None:
        """Take text."""
        self._texts.append(text)

    @property
    def raw(self) -> str:
        """The text as it is."""
        return "".join(self._texts)

    @property
    def text(self) -> str:
        """The text, white space collapsed."""
        return " ".join(self.raw.split())


class Page(HTMLParser):
    """The elements of an HTML document."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[Element] = []
        self._open: list[Element] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open an element."""
        element = Element(tag, {name: value or "" for name, value in attrs})
        for parent in self._open:
            parent.inside.append(element)
        self.elements.append(element)
        if tag not in _VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take an element that closes itself."""
        self.elements.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        """Close an element and what was left open in it."""
        for index in range(len(self._open) - 1, -1, -1):
            if self._open[index].tag == tag:
                del self._open[index:]
                return

    def handle_data(self, data: str) -> None:
        """Give text to every open element."""
        for element in self._open:
            element.add(data)

    def by_id(self, name: str) -> Element:
        """Return the one element with this id."""
        (found,) = (e for e in self.elements if e.attributes.get("id") == name)
        return found

    def all(self, tag: str, **attributes: str) -> list[Element]:
        """Return the elements of a tag with these attributes; `class_` stands for class."""
        wanted = {name.rstrip("_"): value for name, value in attributes.items()}
        return [e for e in self.elements
                if e.tag == tag and wanted.items() <= e.attributes.items()]  # fmt: skip

    def values(self) -> dict[str, str]:
        """Return what the form would send, by the name in a request."""
        sent: dict[str, str] = {}
        for element in [one for form in self.all("form") for one in form.inside]:
            name = element.attributes.get("name", "")
            kind = element.attributes.get("type")
            if kind == "radio" and name:
                sent.setdefault(name, "")
            ticked = kind not in ("checkbox", "radio") or "checked" in element.attributes
            ticked = ticked and bool(name)
            if element.tag == "input" and kind != "file" and ticked:
                sent[name] = element.attributes.get("value", "")
            if element.tag == "textarea":
                sent[name] = element.raw.removeprefix("\n")
            if element.tag == "select":
                options = [e for e in element.inside if e.tag == "option"]
                chosen = [e for e in options if "selected" in e.attributes] or options[:1]
                sent[name] = chosen[0].attributes.get("value", chosen[0].text)
        return {name.removeprefix("field."): value for name, value in sent.items()}

    def field_errors(self) -> dict[str, str]:
        """Return the error that each field of the form points to, by the name in a request."""
        found: dict[str, str] = {}
        for element in self.elements:
            if "aria-invalid" in element.attributes:
                note = element.attributes["aria-describedby"].split()[0]
                name = element.attributes["name"].removeprefix("field.")
                found[name] = self.by_id(note).text
        return found
