"""Lines and columns of a file of which the parser does not see all: log lines before the document, cases that are known. Pure."""

from __future__ import annotations

from xml.parsers import expat


class Positions:
    """Tells where in the file a parser is. Lines count from 1, columns from 0, in characters."""

    def __init__(self, parser: expat.XMLParserType) -> None:
        self.n_lines_before = 0  # the parser's first, and left out since
        self._parser = parser
        self._n_columns = 0  # left out in one line of the parser
        self._line = 0  # that one

    def skip(self, data: bytes, begin: int, end: int) -> None:
        """Count bytes that the parser, which has read all that it was given, does not get."""
        line, n_lines = self._parser.CurrentLineNumber, data.count(b"\n", begin, end)
        start = data.rfind(b"\n", begin, end) + 1 if n_lines else begin
        n_columns = len(data[start:end].decode("utf-8", "replace"))
        if n_lines:
            self.n_lines_before += n_lines
            self._n_columns = n_columns - self._parser.CurrentColumnNumber
        else:
            self._n_columns = n_columns + (self._n_columns if line == self._line else 0)
        self._line = line

    def of(self, line: int, column: int) -> tuple[int, int]:
        """Return line and column of the file for those of the parser."""
        return line + self.n_lines_before, column + (self._n_columns if line == self._line else 0)

    def here(self) -> tuple[int, int]:
        """Return where the parser is."""
        return self.of(self._parser.CurrentLineNumber, self._parser.CurrentColumnNumber)
