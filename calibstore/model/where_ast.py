"""A parsed selection: conditions on rows, joined by and, or, not.

Positions (index into the text) serve messages only and take no part in equality.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from calibstore.model.times import ns_to_iso


@dataclass(frozen=True, slots=True)
class Identifier:
    """A name such as ``exposure.seq_num``."""

    name: str
    position: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Number:
    """A whole or decimal number."""

    value: int | float
    position: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return repr(self.value)


@dataclass(frozen=True, slots=True)
class Text:
    """A text in single quotes."""

    value: str
    position: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return f"'{self.value}'"


@dataclass(frozen=True, slots=True)
class Uuid:
    """A dataset id ``UUID('...')``."""

    value: str
    """In lower case with hyphens."""
    position: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return f"UUID('{self.value}')"


@dataclass(frozen=True, slots=True)
class Time:
    """A time ``T'...'``."""

    tai_ns: int
    understood_as: str = field(default="", compare=False)
    """How it was read, in both scales."""
    position: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return f"T'{ns_to_iso(self.tai_ns)}/tai'"


@dataclass(frozen=True, slots=True)
class Range:
    """Whole numbers ``begin..end:stride``, both ends included."""

    begin: int
    end: int
    stride: int = 1
    position: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return f"{self.begin}..{self.end}" + (f":{self.stride}" if self.stride != 1 else "")

    def contains(self, value: object) -> bool:
        """Tell whether a value is one of the numbers."""
        if not isinstance(value, int | float) or not self.begin <= value <= self.end:
            return False
        return (value - self.begin) % self.stride == 0


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """Two operands and one of ``+ - * / %``.

    ``/`` is the true quotient; ``%`` is of whole numbers and has the sign of the dividend, as in SQL.
    """

    left: "Operand"
    operator: str
    right: "Operand"
    position: int = field(default=0, compare=False)

    def __str__(self) -> str:
        sides = [f"({side})" if isinstance(side, Arithmetic) else str(side) for side in (self.left, self.right)]
        return f"{sides[0]} {self.operator} {sides[1]}"


Literal: TypeAlias = Number | Text | Time | Uuid
Operand: TypeAlias = Identifier | Literal | Arithmetic
Item: TypeAlias = Literal | Range


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two operands and one of ``= != < <= > >=``."""

    left: Operand
    operator: str
    right: Operand
    position: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return f"{self.left} {self.operator} {self.right}"


@dataclass(frozen=True, slots=True)
class Membership:
    """``x [not] in (...)``."""

    identifier: Identifier | Arithmetic
    items: tuple[Item, ...]
    is_negated: bool = False
    position: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return f"{self.identifier} {'not in' if self.is_negated else 'in'} ({', '.join(map(str, self.items))})"


@dataclass(frozen=True, slots=True)
class Glob:
    """``glob(x, 'pat*')``: ``*`` stands for any text, ``?`` for one character; case counts."""

    identifier: Identifier
    pattern: str
    position: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return f"glob({self.identifier}, '{self.pattern}')"


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite of a term."""

    term: "Expression"

    def __str__(self) -> str:
        return f"not ({self.term})"


@dataclass(frozen=True, slots=True)
class And:
    """All of two or more terms."""

    terms: tuple["Expression", ...]

    def __str__(self) -> str:
        return " and ".join(f"({term})" if isinstance(term, And | Or) else str(term) for term in self.terms)


@dataclass(frozen=True, slots=True)
class Or:
    """Any of two or more terms."""

    terms: tuple["Expression", ...]

    def __str__(self) -> str:
        return " or ".join(f"({term})" if isinstance(term, Or) else str(term) for term in self.terms)


Leaf: TypeAlias = Comparison | Membership | Glob
Expression: TypeAlias = Leaf | Not | And | Or


def leaves(expression: Expression) -> Iterator[Leaf]:
    """Yield the conditions of an expression from left to right."""
    match expression:
        case And(terms) | Or(terms):
            for term in terms:
                yield from leaves(term)
        case Not(term):
            yield from leaves(term)
        case _:
            yield expression


def names_in(operand: Operand | Item) -> Iterator[Identifier]:
    """Yield the names an operand is made of, from left to right."""
    match operand:
        case Identifier():
            yield operand
        case Arithmetic(left, _, right):
            yield from names_in(left)
            yield from names_in(right)


def operands(leaf: Leaf) -> tuple[Operand | Item, ...]:
    """Return what a condition compares, from left to right."""
    match leaf:
        case Comparison(left, _, right):
            return (left, right)
        case Membership(identifier, items):
            return (identifier, *items)
        case Glob(identifier):
            return (identifier,)
