"""Tokens: from the text of a model to logical lines of words and signs.

Takes a Source and the words and signs of the grammar; gives the lines, each with its tokens and the number of blocks it
stands in, and tells every mistake that concerns characters, names, numbers, quotes, brackets and indentation. A line
with such a mistake is marked faulty: nobody needs to hear about it twice, so the parser leaves it out.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from .source import MOST_CHARACTERS, Diagnostic, Diagnostics, Note, Source, Span

MOST_NESTED = 100
"""How deep brackets, and indented blocks, may stand in each other."""

MOST_WORDS = 100_000
"""How many words and signs a statement may have."""

LONGEST_WORD = 200
"""How many characters a name or a quoted word may have."""

LONGEST_NUMBER = 1000
"""How many characters a number may have."""

STARTERS = frozenset("axis input noise param state const output metric use batch def layer update".split())
"""Words that begin a statement where a name follows; elsewhere they are names themselves."""

RESERVED = frozenset(
    {"minimize", "maximize", "return", "yield", "if", "then", "else", "and", "or", "not", "true", "false"}
)
"""Words that are never names."""

_LINE_WORDS = frozenset({"minimize", "maximize", "return", "yield"})
_AFTER_OPERAND = frozenset({"and", "or", "then", "else", "over", "with", "like", "in"})
_OPERAND_ENDS = frozenset({"NAME", "PRIMED", "DOTTED", "STARRED", "NUMBER", "STRING", "TRUE", "FALSE", "RPAR", "RSQB"})
_WORDS = frozenset({"NAME", "PRIMED", "DOTTED"})
_CLOSES = {"(": ")", "[": "]"}


class Token(NamedTuple):
    """A word or a sign; `type` is the name of its terminal in the grammar, OTHER where the grammar has none."""

    type: str
    text: str
    span: Span


@dataclass(slots=True)
class Line:
    """A logical line: it ends where a line of the text ends and no bracket is open."""

    indent: str
    tokens: list[Token]
    faulty: bool
    depth: int = 0  # the number of blocks that it stands in

    @property
    def opens(self) -> bool:
        """Whether it ends in a colon, as a line does that a block follows."""
        return self.tokens[-1].type == "COLON"

    @property
    def heads(self) -> bool:
        """Whether it is a head that has no meaning without a block."""
        if self.tokens[0].type != "DEF":
            return self.tokens[0].type == "LAYER" or any(token.type == "SCAN" for token in self.tokens[:40])
        nested = 0
        for token in self.tokens:
            nested += (token.text in _CLOSES) - (token.type in ("RPAR", "RSQB"))
            if token.type == "EQUAL" and nested == 0:
                return False
        return True


def lines(source: Source, signs: Mapping[str, str], mistakes: Diagnostics) -> list[Line]:
    """The logical lines of a source; what is wrong with them goes to `mistakes`.

    `signs` maps each word and sign of the grammar to the name of its terminal.
    """
    if len(source.text) > MOST_CHARACTERS:
        message = f"this model has more than {MOST_CHARACTERS} characters"
        mistakes.add(Diagnostic("E0501", message, Span(source, MOST_CHARACTERS, MOST_CHARACTERS)))
        mistakes.check()
    scanner = _Scanner(source, signs, mistakes)
    scanner.run()
    _lay_out(source, scanner.lines, mistakes)
    return scanner.lines


# ----------------------------------------------------------------------------------------------------------- characters

# Characters that change how the text around them is shown or read: controls, bidirectional marks, invisible ones.
_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e01ef\ud800-\udfff]"
)
_TOKEN = re.compile(
    r"""(?P<space>[ \t]+|\#[^\n]*)
      | (?P<newline>\r?\n)
      | (?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?[\w.]*)
      | (?P<word>[^\W\d]\w*(?:\.[^\W\d]\w*)*(?:\.\*(?!\*))?'*)
      | (?P<string>"[^"\n]*"?)
      | (?P<foreign>&&|\|\||//|[-+*/]=|:=|=>|\.\.\.)
      | (?P<sign>\|>|->|==|!=|<=|>=|\*\*|[-+*/@^<>=~:,()\[\]])
      | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_NUMBER = re.compile(r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")

# What to write instead of a sign that the language does not have.
_INSTEAD = {
    "&&": "write: a and b",
    "&": "write: a and b",
    "||": "write: a or b",
    "|": "write: a or b, or a |> f to apply f to a",
    "!": "write: not a",
    "?": "write: if condition then a else b",
    "%": "there is no remainder; a / b is the quotient",
    "//": "there is no whole division, and a comment begins with #",
    "{": "a block begins with `:` and is indented",
    "}": "a block ends where its indentation ends",
    ";": "each statement stands on its own line",
    "\\": "a line goes on as long as a bracket is open",
    "'": 'quoted words stand in double quotes, as in pad="same"',
    "`": 'quoted words stand in double quotes, as in pad="same"',
    "\u2018": 'quoted words stand in double quotes, as in pad="same"',
    "\u2019": "a prime is written with the plain sign: d'",
    "\u2032": "a prime is written with the plain sign: d'",
    "\u201c": 'quoted words stand in plain double quotes, as in pad="same"',
    "\u201d": 'quoted words stand in plain double quotes, as in pad="same"',
    "+=": "each name is defined once: give the new value a name of its own",
    "-=": "each name is defined once: give the new value a name of its own",
    "*=": "each name is defined once: give the new value a name of its own",
    "/=": "each name is defined once: give the new value a name of its own",
    ":=": "a name is defined with =",
    "=>": "a function is written: def f(x) = x^2",
    "...": "axes are aligned by name, so those that are not meant are not written",
    ".": "a dot reaches into a layer, as in fc.W",
    "\u2212": "write -",
    "\u2013": "write -",
    "\u2014": "write -",
    "\u00d7": "write *",
    "\u00b7": "write *",
    "\u22c5": "write *",
    "\u00f7": "write /",
    "\u2264": "write <=",
    "\u2265": "write >=",
    "\u2260": "write !=",
    "\u2192": "write ->",
    "\u221a": "write sqrt(x)",
    "\u2211": "write sum[k](x)",
    "\u220f": "write prod[k](x)",
    "\u221e": "there is no infinite number",
    "\u00a0": "this is a space that does not break: write a plain one",
}

_GREEK = frozenset("ΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩαβγδεζηθικλμνξοπρσςτυφχψω")
_SAME_AS_LATIN = dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧο", "ABEZHIKMNOPTYXo", strict=True))  # noqa: RUF001
_LIKE_LATIN = dict(zip("αγικνρυχ", "ayikvpux", strict=True))
_MIXED = re.compile(f"[A-Za-z][{''.join(_LIKE_LATIN)}]|[{''.join(_LIKE_LATIN)}][A-Za-z]")
_POWER = re.compile(r"(?P<base>[^\W\d]\w*?)(?P<power>[⁰¹²³⁴-⁹]+)")


def _wrong_name(name: str) -> tuple[str, str, str | None] | None:
    """What is wrong with one part of a dotted name: a code, a message and a help line. None where nothing is."""
    if name.startswith("__"):
        return "E0121", f"`{name}` begins with two underscores", "such names belong to Python: begin with a letter"
    if name.isascii():
        return None
    power = _POWER.fullmatch(name)
    if power is not None:
        number = unicodedata.normalize("NFKC", power["power"])
        return "E0120", "a raised figure is not a power here", f"write {power['base']}^{number}"
    folded = unicodedata.normalize("NFKC", name)
    if folded != name:
        allowed = folded.isidentifier() and _wrong_name(folded) is None
        message = f"`{name}` has a letter that Unicode takes for another one"
        return "E0120", message, f"write {folded}" if allowed else None
    for letter in name:
        if not (letter.isascii() or letter in _GREEK):
            return (
                "E0120",
                f"`{letter}` cannot stand in a name",
                "names have Latin and Greek letters, figures and _",
            )
        if letter in _SAME_AS_LATIN:
            message = f"the Greek letter `{letter}` cannot be told from the Latin `{_SAME_AS_LATIN[letter]}`"
            return "E0122", message, "write the Latin letter, or spell the Greek one out"
    if mixed := _MIXED.search(name):
        greek = next(letter for letter in mixed[0] if letter in _LIKE_LATIN)
        message = f"in `{name}` the Greek letter `{greek}` can be taken for the Latin `{_LIKE_LATIN[greek]}`"
        return "E0122", message, "set it off with an underscore, or write one alphabet"
    return None


# ------------------------------------------------------------------------------------------------------------- scanning


@dataclass
class _Scanner:
    source: Source
    signs: Mapping[str, str]
    mistakes: Diagnostics
    lines: list[Line] = field(default_factory=list)
    tokens: list[Token] = field(default_factory=list)
    open: list[Token] = field(default_factory=list)
    faulty: bool = False
    braced: bool = False  # whether a `{` was met
    names: dict[str, bool] = field(default_factory=dict)  # whether each name that was met is in order
    alike: dict[str, Token] = field(default_factory=dict)  # the first name of each look

    def run(self) -> None:
        text = self.source.text
        controls = [found.start() for found in _CONTROL.finditer(text) if found[0] != "\r" or _alone(text, found.end())]
        controls.append(len(text))
        next_control = 0
        indent, at, beginning = "", 0, True
        while at < len(text) and not self.mistakes.full:
            found = _TOKEN.match(text, at)
            assert found is not None  # the last alternative takes any character
            kind, word = found.lastgroup, found[0]
            span = Span(self.source, at, found.end())
            if controls[next_control] < found.end():
                place = controls[next_control]
                self._wrong(
                    "E0107",
                    f"the invisible character U+{ord(text[place]):04X} has no place in a model",
                    Span(self.source, place, place + 1),
                    "take it out, in comments too: it can hide what the text says",
                )
                while controls[next_control] < found.end():
                    next_control += 1
            elif kind == "newline":
                if not self.open:
                    self._end(indent)
                    indent = ""
                beginning = True
            elif kind != "space":
                if self.open and beginning and self._abandoned(word, span, indent, found.end()):
                    self._unclosed(self.open[-1])
                    self._end(indent)
                    indent = ""
                if not self.tokens:
                    indent = text[text.rfind("\n", 0, at) + 1 : at]
                beginning = False
                self._take(str(kind), word, span)
            at = found.end()
        if self.open and not self.mistakes.full:
            self._unclosed(self.open[-1])
        self._end(indent)

    def _wrong(self, code: str, message: str, span: Span, help: str | None = None, *notes: Note) -> None:
        """Tell a mistake, the first one of its line only: what follows may come from it."""
        if not self.faulty:
            self.mistakes.add(Diagnostic(code, message, span, help=help, notes=notes))
        self.faulty = True

    def _too_much(self, code: str, message: str, span: Span) -> None:
        """Tell that a limit is passed, and give up: what follows is no model that a person wrote."""
        self.mistakes.add(Diagnostic(code, message, span, help="give its parts names of their own"))
        self.mistakes.check()

    def _end(self, indent: str) -> None:
        # A line that held nothing but a control character in a comment has no tokens, and nothing to leave out.
        if self.tokens:
            self.lines.append(Line(indent, self._keywords(), self.faulty))
        self.tokens, self.open, self.faulty = [], [], False

    def _take(self, kind: str, word: str, span: Span) -> None:
        type = "OTHER"
        if kind == "word":
            type = self._word(word, span)
        elif kind == "number":
            type = "NUMBER"
            self._number(word, span)
        elif kind == "string":
            type = "STRING"
            if len(word) < 2 or not word.endswith('"'):
                self._wrong("E0103", "this quoted word has no end", span, 'write a second " on the same line')
            elif len(word) > LONGEST_WORD:
                self._wrong("E0503", f"this quoted word has more than {LONGEST_WORD} characters", span)
        elif kind == "sign":
            type = self.signs[word]
        elif word == "}" and self.braced:
            self.faulty = True  # its `{` has been told
        else:
            self.braced = self.braced or word == "{"
            self._wrong("E0106", f"`{word}` is not in the language", span, _INSTEAD.get(word))
        token = Token(type, word, span)
        self.tokens.append(token)
        if len(self.tokens) > MOST_WORDS:
            self._too_much("E0504", f"this statement has more than {MOST_WORDS} words and signs", span)
        if kind == "sign":
            self._bracket(token)

    def _word(self, word: str, span: Span) -> str:
        good = self.names.get(word)
        if good is None:
            good = self.names[word] = self._check_name(word, span)
        elif not good:
            self.faulty = True
        if word.endswith("'"):
            return "PRIMED"
        if word.endswith("*"):
            return "STARRED"
        return "DOTTED" if "." in word else "NAME"

    def _check_name(self, word: str, span: Span) -> bool:
        if len(word) > LONGEST_WORD:
            self._wrong("E0503", f"this name has more than {LONGEST_WORD} characters", span)
            return False
        bare = word.rstrip("'")
        if bare != word and "." in word:
            self._wrong("E0106", "a prime stands behind the name of an axis", span, "write d', a second copy of d")
            return False
        for part in bare.removesuffix(".*").split("."):
            wrong = _wrong_name(part)
            if wrong is not None:
                code, message, help = wrong
                self._wrong(code, message, span, help)
                return False
            look = "".join(_LIKE_LATIN.get(letter, letter) for letter in part)
            if (first := self.alike.setdefault(look, Token("NAME", part, span))).text != part:
                message = f"`{part}` looks like `{first.text}`, and is another name"
                self._wrong("E0122", message, span, "spell one of them out", Note(first.span, "the other one"))
                return False
        return True

    def _number(self, word: str, span: Span) -> None:
        if len(word) > LONGEST_NUMBER:
            self._wrong("E0503", f"this number has more than {LONGEST_NUMBER} characters", span)
        elif not (number := _NUMBER.match(word)) or number[0] != word:
            figures = number[0] if number else ""
            rest = word[len(figures) :]
            help = f"write {figures} * {rest}" if rest.isidentifier() else None
            if figures == "0" and rest[0] in "xXbBoO":
                help = "numbers are decimal"
            elif rest.startswith("_"):
                help = f"write {word.replace('_', '')}"
            elif rest[0] in "eE" and not rest[1:]:
                help = f"write {figures}, or an exponent: {figures}e-3"
            self._wrong("E0113", f"`{word}` is not a number", span, help)

    def _bracket(self, token: Token) -> None:
        if token.text in _CLOSES:
            if len(self.open) == MOST_NESTED:
                self._too_much("E0502", f"brackets stand more than {MOST_NESTED} deep in each other", token.span)
            self.open.append(token)
        elif token.text in _CLOSES.values():
            if not self.open:
                self._wrong("E0102", f"this `{token.text}` closes nothing", token.span, "take it out")
                return
            opener = self.open.pop()
            if (closer := _CLOSES[opener.text]) != token.text:
                self._wrong(
                    "E0102",
                    f"expected `{closer}`, found `{token.text}`",
                    token.span,
                    None,
                    Note(opener.span, f"to close the `{opener.text}` opened here"),
                )

    def _unclosed(self, opener: Token) -> None:
        closer = _CLOSES[opener.text]
        self._wrong("E0102", f"expected `{closer}` to close the `{opener.text}` opened here", opener.span)

    def _abandoned(self, word: str, span: Span, indent: str, end: int) -> bool:
        """Whether the text has gone on to another statement although a bracket is open."""
        text = self.source.text
        if len(text[text.rfind("\n", 0, span.start) + 1 : span.start]) > len(indent) or word in _AFTER_OPERAND:
            return False
        if word in _LINE_WORDS:
            return True
        follows = _TOKEN.match(text, end)
        spaced = follows is not None and follows[0].isspace() and "\n" not in follows[0]
        after = _TOKEN.match(text, follows.end()) if follows is not None and spaced else follows
        if word in STARTERS and spaced and after is not None and after.lastgroup == "word":
            return after[0] not in _AFTER_OPERAND
        begins = word[0].isalpha() and after is not None and after[0] == "="
        return begins and self.tokens[-1].type in _OPERAND_ENDS

    def _keywords(self) -> list[Token]:
        """The tokens of the line, with the type of a keyword for each name that is one where it stands."""
        taken: list[Token] = []
        for position, token in enumerate(self.tokens):
            if token.type == "NAME" and token.text in self.signs and self._keyword(token.text, position, taken):
                token = Token(self.signs[token.text], token.text, token.span)
            taken.append(token)
        return taken

    def _keyword(self, word: str, position: int, before: list[Token]) -> bool:
        if word in RESERVED:
            return True
        following = [token.text if token.type in _WORDS else "" for token in self.tokens[position + 1 : position + 3]]
        if not before:
            return word in STARTERS and following[:1] > [""]
        if before[-1].type in _OPERAND_ENDS:
            return word in _AFTER_OPERAND
        return word == "scan" and before[-1].type == "EQUAL" and following[:1] > [""] and following[1:] == ["with"]


def _alone(text: str, end: int) -> bool:
    """Whether a carriage return that ends here stands without a line feed."""
    return text[end : end + 1] != "\n"


# --------------------------------------------------------------------------------------------------------------- layout


def _lay_out(source: Source, found: list[Line], mistakes: Diagnostics) -> None:
    """Give each line its depth, and tell what is wrong with the indentation."""
    stack = [("", 0)]  # the indentation of each open block, and its depth
    previous: Line | None = None
    for line in found:
        if mistakes.full:
            return
        span = Span(source, line.tokens[0].span.start - len(line.indent), line.tokens[0].span.start)
        indent, depth = stack[-1]
        if line.indent != indent and line.indent.startswith(indent):
            _deeper(line, previous, span, depth, mistakes)
            if previous is not None and (previous.opens or previous.faulty):
                depth += 1
            stack.append((line.indent, depth))
        elif line.indent != indent:
            known = {text for text, _ in stack}
            while len(stack) > 1 and len(stack[-1][0]) > len(line.indent):
                stack.pop()
            if line.indent not in known:
                mixed = "\t" in line.indent + indent and " " in line.indent + indent
                message = "this line is indented like none before it"
                help = "line it up with the line that it follows"
                if mixed:
                    message, help = "tabs and spaces are mixed in this indentation", "indent with spaces throughout"
                _tell(line, mistakes, "E0104", message, span, help)
            depth = stack[-1][1]
        line.depth = depth
        if previous is not None and line.depth <= previous.depth:
            _check_body(previous, mistakes)
        previous = line
    if previous is not None:
        _check_body(previous, mistakes)


def _deeper(line: Line, previous: Line | None, span: Span, depth: int, mistakes: Diagnostics) -> None:
    if previous is None or not (previous.opens or previous.heads or previous.faulty):
        _tell(line, mistakes, "E0104", "this line is indented, and no block is open", span, "move it to the left")
    elif previous.heads and not previous.opens:
        last = previous.tokens[-1].span
        end = Span(last.source, last.end, last.end)
        _tell(previous, mistakes, "E0105", "expected `:` before the block that follows", end, "write : here")
    elif depth == MOST_NESTED:
        _tell(line, mistakes, "E0502", f"blocks stand more than {MOST_NESTED} deep in each other", span, None)


def _check_body(line: Line, mistakes: Diagnostics) -> None:
    if line.opens and line.heads:
        span = line.tokens[-1].span
        _tell(
            line, mistakes, "E0105", "expected an indented block after this `:`", span, "indent the lines that follow"
        )


def _tell(line: Line, mistakes: Diagnostics, code: str, message: str, span: Span, help: str | None) -> None:
    if not line.faulty:
        mistakes.add(Diagnostic(code, message, span, help=help))
    line.faulty = True
