"""The children of a case element, gathered while a parser goes through them, within bounds whatever a report holds. Pure.

What they mean is for ingest.elements to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from xml.parsers import expat

from lxml import etree

from ingest import elements
from ingest.cases import Limits

KEPT_NODES = 200  # elements kept of one case; a failure in a thousand parts is one failure
KEPT_DEPTH = 6
TEXT_TAGS = frozenset(
    {"failure", "error", "skipped", "flakyFailure", "flakyError", "rerunFailure", "rerunError"}
    | {"stackTrace", "stacktrace", "message", "property"}
)
UNREAD_TAGS = frozenset({"system-out", "system-err"})
STATED = ("status", "result", "skipped", "disabled")  # attributes of a case that may say its outcome


class Children:
    """The element of the open case and its open descendants; empty until it has a child, and once it is taken."""

    def __init__(self, parser: expat.XMLParserType, *, limits: Limits) -> None:
        self.nodes: list[Any] = []
        self._parser = parser
        self._limits = limits
        self._n_kept = 0
        self._n_skipped = 0  # open descendants that are not kept
        self._texts: list[elements.Text | None] = []

    def open(self, tag: str, attributes: Mapping[str, str], *, case: Mapping[str, str]) -> None:
        """Note the beginning of an element inside of a case with these attributes."""
        if not self.nodes:
            stated: dict[str, str] = {key: case[key][:100] for key in STATED if key in case}
            self.nodes, self._n_kept = [etree.Element("testcase", stated)], 0
        is_deep = len(self.nodes) > KEPT_DEPTH or self._n_kept > KEPT_NODES
        if self._n_skipped or is_deep or tag in UNREAD_TAGS:
            self._n_skipped += 1
            self._parser.CharacterDataHandler = None
            return
        limit = self._limits.message_chars
        kept = {name.rpartition(":")[2]: value[:limit] for name, value in attributes.items()}
        kept.pop("", None)
        self.nodes.append(etree.SubElement(self.nodes[-1], tag, kept))
        self._n_kept += 1
        self._texts.append(elements.Text(self._limits.text_chars) if tag in TEXT_TAGS else None)
        self._listen()

    def close(self) -> None:
        """Note the end of an element inside of the case."""
        if self._n_skipped:
            self._n_skipped -= 1
        else:
            node, text = self.nodes.pop(), self._texts.pop()
            if text is not None:
                node.text = text.value()
        self._listen()

    def _listen(self) -> None:
        """Have the parser tell the text of the innermost element that is kept, if that is one whose text is read."""
        text = self._texts[-1] if self._texts and not self._n_skipped else None
        self._parser.CharacterDataHandler = text.add if text else None

    @property
    def are_closed(self) -> bool:
        """True where the next element to end is the case itself."""
        return len(self.nodes) == 1 and not self._n_skipped

    def taken(self) -> Any:
        """Return the element of the case, and be empty."""
        element, self.nodes = self.nodes[0], []
        return element
