"""Texts of strangers, made harmless for where they are shown: terminals, spreadsheets, Markdown.

A file's name, a method in a table, a note in a detector's description, a server's answer: each may hold what steers the
program that shows it. (HTML is escaped by the templates that make it.)
"""

import html
import re

# What a spreadsheet takes for a formula where a cell begins with it.
_FORMULA = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")  # the last four are full-width, for East Asian programs
# What marks up text in Markdown anywhere, and what does so where a line begins with it.
_MARKUP = re.compile(r"([\\`*_{}\[\]#|~$]|^[-+=]|(?<=^\d)[.)])")


def printable(text: str) -> str:
    """A name as a terminal may show it: what would break the line, or steer the terminal, is written as an escape."""
    if text.isprintable():  # as nearly all are, some of which hold pictures
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)


def printable_lines(text: str) -> str:
    """The same of a text that has lines of its own."""
    return "\n".join(map(printable, text.split("\n")))


def cell(text: str) -> str:
    """A text for a table that people open in a spreadsheet: in one line, and never a formula.

    What would be one gets an apostrophe, by which spreadsheets know text (OWASP, CSV Injection).
    """
    shown = printable(text)
    return f"'{shown}" if shown.lstrip().startswith(_FORMULA) or text.startswith(_FORMULA) else shown


def markdown(text: str) -> str:
    """A text for a page in Markdown, in one line: no markup and no HTML."""
    return _MARKUP.sub(r"\\\1", html.escape(printable(text), quote=False))
