"""Coordinates of a dataset: required dimensions only, in one canonical order, and the dataset id made from them."""

import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from calibstore.errors import UserInputError

DATASET_NAMESPACE: Final = uuid.UUID("840b31d9-05cd-5161-b2c8-00d32b280d0f")
"""Namespace of the Butler's reproducible dataset ids."""
INTEGER_DIMENSIONS: Final = frozenset({"detector", "exposure", "day_obs"})
TEXT_DIMENSIONS: Final = {"instrument": 32, "physical_filter": 32, "band": 32, "group": 64}
"""Dimensions with text values, and the longest value the Butler takes [characters]."""

_PAIR = re.compile(r"\s*(?P<name>[a-z_]+)\s*=\s*(?:'(?P<quoted>[^']*)'|(?P<plain>[^\s,'=]+))\s*,?")


@dataclass(frozen=True, slots=True)
class DataId(Mapping[str, int | str]):
    """A frozen mapping of required dimensions to values, sorted by dimension.

    Parameters
    ----------
    pairs : tuple of (str, int or str)
        Dimensions and values in any order; kept sorted, so equal data IDs are equal objects.

    Raises
    ------
    UserInputError
        If a dimension is unknown or given twice, or a value has the wrong type or length.
    """

    pairs: tuple[tuple[str, str | int], ...]

    def __post_init__(self) -> None:
        names = [name for name, _ in self.pairs]
        if len(set(names)) != len(names):
            raise _error(f"data ID names a dimension twice: {', '.join(names)}")
        for name, value in self.pairs:
            _check(name, value)
        object.__setattr__(self, "pairs", tuple(sorted(self.pairs)))

    @classmethod
    def of(cls, **values: int | str) -> "DataId":
        """Build a data ID from keyword arguments.

        Raises
        ------
        UserInputError
            As the class does.
        """
        return cls(tuple(values.items()))

    @classmethod
    def parse(cls, text: str) -> "DataId":
        """Read the text form, such as ``detector=0 instrument=LATISS``; commas may separate too.

        Parameters
        ----------
        text : str
            Pairs in any order; a value with blanks stands in single quotes.

        Raises
        ------
        UserInputError
            If the text is no list of pairs, or the class refuses them.
        """
        pairs: list[tuple[str, str | int]] = []
        end = 0
        for found in _PAIR.finditer(text):
            if found.start() != end:
                break
            end = found.end()
            name, value = found["name"], found["quoted"] if found["plain"] is None else found["plain"]
            is_number = name in INTEGER_DIMENSIONS and re.fullmatch(r"\d+", value) is not None
            pairs.append((name, int(value) if is_number else value))
        if not pairs or text[end:].strip():
            raise _error(f"'{text}' is no data ID")
        return cls(tuple(pairs))

    @property
    def dimensions(self) -> tuple[str, ...]:
        """Names of the dimensions, sorted."""
        return tuple(name for name, _ in self.pairs)

    def __getitem__(self, name: str) -> int | str:
        for known, value in self.pairs:
            if known == name:
                return value
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.dimensions)

    def __len__(self) -> int:
        return len(self.pairs)

    def __str__(self) -> str:
        return " ".join(f"{name}={_quoted(value)}" for name, value in self.pairs)


def dataset_uuid(dataset_type: str, run: str, data_id: Mapping[str, int | str]) -> str:
    """Return the reproducible id of a dataset.

    Parameters
    ----------
    dataset_type : str
        Name of the dataset type.
    run : str
        Name of the RUN it is born in.
    data_id : mapping
        Required dimensions and values (no implied ones such as the band of a flat).

    Returns
    -------
    str
        Version 5 UUID with hyphens.

    References
    ----------
    daf_butler, ids of type, run and data ID.
    """
    parts = [f"dataset_type={dataset_type}", f"run={run}"]
    parts += [f"{name}={data_id[name]}" for name in sorted(data_id)]
    return str(uuid.uuid5(DATASET_NAMESPACE, ",".join(parts)))


def _check(name: str, value: str | int) -> None:
    if name in INTEGER_DIMENSIONS:
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise _error(f"{name}={value!r}: {name} is a whole number from 0 on")
    elif name in TEXT_DIMENSIONS:
        limit = TEXT_DIMENSIONS[name]
        if not isinstance(value, str) or not 1 <= len(value) <= limit or "'" in value or not value.isprintable():
            raise _error(f"{name}={value!r}: {name} is text of 1 to {limit} printable characters without quotes")
    else:
        known = ", ".join(sorted(INTEGER_DIMENSIONS | set(TEXT_DIMENSIONS)))
        raise _error(f"unknown dimension '{name}' (known: {known})")


def _quoted(value: str | int) -> str:
    text = str(value)
    return text if re.fullmatch(r"[^\s,'=]+", text) else f"'{text}'"


def _error(message: str) -> UserInputError:
    return UserInputError(message, hint="write a data ID as: instrument=LATISS detector=0", code="E-DATAID")
