"""The catalogue of calibration types: the shipped recipes, what instruments change, and what a site declares."""

import functools
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from calibstore.config import SCHEMES
from calibstore.errors import UserInputError
from calibstore.model.calib_kinds import BINS, CALIB_NAMES, NEW_SCHEME, CalibName, CalibType, DatasetType
from calibstore.model.calib_recipes import Granularity, Parameter, Parents, Step, topological
from calibstore.model.collections import did_you_mean
from calibstore.model.name_grammar import GRAMMARS, check_part
from calibstore.model.selection_rules import read_rules

_FILES: Final = ("parameters", "images", "response", "sky", "selections")
_TYPE_ENTRIES: Final = (
    "title", "observation_type", "dimensions", "storage_class", "unit", "suffix", "product", "pictures", "source",
    "needs", "wants", "takes", "existing", "new", "legacy", "parameters", "defaults", "steps", "intermediates",
    "instruments", "mini", "like", "stem", "certified", "verification", "has_band", "rules",
)  # fmt: skip
_STEP_ENTRIES: Final = (
    "name", "task", "per", "raws", "reason", "calibs", "inputs", "outputs", "parameters", "renamed", "fixed",
    "geometry",
)  # fmt: skip
_OTHER_ENTRIES: Final = ("title", "dimensions", "storage_class", "unit", "suffix")
_SCHEME_ENTRIES: Final = ("needs", "wants", "takes", "existing")


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """All calibration types under one dependency scheme."""

    scheme: str = NEW_SCHEME
    tables: Mapping[str, Mapping[str, Any]] = field(repr=False)
    """Type to its table, in the order in which types are built."""
    parameters: Mapping[str, Parameter] = field(repr=False)
    declared_names: tuple[CalibName, ...] = ()
    """Names of types that a configuration adds."""
    made: dict[tuple[str, str, str], CalibType] = field(default_factory=dict, repr=False, compare=False)

    @property
    def types(self) -> tuple[CalibType, ...]:
        """Types that `generate` makes, in the order in which they are built."""
        return tuple(one for one in self.all_types if one.is_made)

    @property
    def all_types(self) -> tuple[CalibType, ...]:
        """Types that are made, and those that are brought in."""
        return self.of_instrument("", "")

    def of_instrument(self, instrument: str, variant: str) -> tuple[CalibType, ...]:
        """Return all types as they are made on an instrument."""
        found = (self.find(name, instrument, variant) for name in self.tables)
        return tuple(one for one in found if one is not None)

    def find(self, name: str, instrument: str = "", variant: str = "") -> CalibType | None:
        """Return a type as it is made on an instrument; None where there is no such type."""
        if name not in self.tables:
            return None
        key = (name, instrument, variant)
        if key not in self.made:
            self.made[key] = self._read(name, instrument, variant)
        return self.made[key]

    def order(self, instrument: str = "", variant: str = "") -> tuple[str, ...]:
        """Return the names of all types, parents first.

        Raises
        ------
        UserInputError
            E-RECIPE: there is a cycle.
        """
        return topological({name: self._parents(name, instrument, variant).ordering for name in self.tables})

    def check(self) -> None:
        """Refuse what cannot be made, whatever the instrument.

        Raises
        ------
        UserInputError
            E-RECIPE, with what is wrong and what is known.
        """
        instruments = {one for table in self.tables.values() for one in table.get("instruments", {})}
        for instrument in ("", *sorted(instruments)):
            for variant in ("", "mini"):
                known = self.of_instrument(instrument, variant)
                for one in known:
                    _check_type(one, self.tables)
            self.order(instrument)

    def _table(self, name: str, instrument: str, variant: str) -> dict[str, Any]:
        table = dict(self.tables[name])
        others = [table.get("instruments", {}).get(instrument, {}), table.get("mini", {}) if variant == "mini" else {}]
        for other in others:
            table = merged(table, other)
        return table

    def _parents(self, name: str, instrument: str, variant: str) -> Parents:
        table = self._table(name, instrument, variant)
        chosen = {**{key: table.get(key, ()) for key in _SCHEME_ENTRIES}, **table.get(self.scheme, {})}
        return Parents(**{key: tuple(chosen[key]) for key in _SCHEME_ENTRIES})

    def _read(self, name: str, instrument: str, variant: str) -> CalibType:
        table = self._table(name, instrument, variant)
        names = next(
            (one for one in (*CALIB_NAMES, *self.declared_names) if one.dataset_type == name),
            CalibName(dataset_type=name),
        )
        product = str(table.get("product", name))
        main = DatasetType(
            name=product,
            dimensions=tuple(table["dimensions"]),
            storage_class=str(table["storage_class"]),
            is_calibration="exposure" not in table["dimensions"],
            unit=str(table.get("unit", "")),
            suffix=str(table.get("suffix", "fits")),
        )
        others = tuple(
            DatasetType(
                name=key.format(type=name),
                dimensions=tuple(one.get("dimensions", ("instrument", "detector"))),
                storage_class=str(one["storage_class"]),
                unit=str(one.get("unit", "")),
                suffix=str(one.get("suffix", "fits")),
            )
            for key, one in table.get("intermediates", {}).items()
        )
        companions = _companions(main) if table.get("pictures") else ()
        parameters = self._parameters(name, table)
        steps = [_step(name, product, one, tuple(one.name for one in parameters)) for one in table.get("steps", ())]
        if companions and steps:
            steps.append(_mosaic_step(product))
        children = (other for other in self.tables if name in self._parents(other, instrument, variant).ordering)
        return CalibType(
            name=name,
            dataset_type=main,
            names=names,
            companions=companions,
            intermediates=others,
            observation_type=str(table.get("observation_type", "")),
            parents=self._parents(name, instrument, variant),
            gives=tuple(children),
            title=str(table.get("title", "")),
            source=str(table.get("source", "")),
            parameters=parameters,
            steps=tuple(steps),
            rules=read_rules(table.get("rules", {}), name),
        )

    def _parameters(self, name: str, table: Mapping[str, Any]) -> tuple[Parameter, ...]:
        defaults = table.get("defaults", {})
        found = []
        for key in table.get("parameters", ()):
            if key not in self.parameters:
                raise wrong(f"{name}: there is no parameter {key!r}", _nearest(key, self.parameters))
            known = self.parameters[key]
            if key in defaults:
                known = _with_default(known, defaults[key], name)
            found.append(known)
        stray = sorted(set(defaults) - set(table.get("parameters", ())))
        if stray:
            listed = ", ".join(table.get("parameters", ())) or "it has none"
            raise wrong(
                f"{name}: defaults of {', '.join(stray)}, which are no parameters of it", f"parameters: {listed}"
            )
        return tuple(found)


@functools.cache
def shipped(scheme: str = NEW_SCHEME) -> Catalogue:
    """Return the types that come with this software.

    Parameters
    ----------
    scheme : str
        new or legacy.
    """
    from importlib import resources

    tables: dict[str, dict[str, Any]] = {}
    parameters: dict[str, Parameter] = {}
    for name in _FILES:
        text = resources.files("calibstore.model").joinpath("recipes", f"{name}.toml").read_text(encoding="utf-8")
        found = tomllib.loads(text)
        if name == "parameters":
            parameters = {key: _parameter(key, one) for key, one in found.items()}
        elif name == "selections":
            tables = {key: {**table, "rules": found.get(key, {})} for key, table in tables.items()}
        else:
            tables |= found
    order = [one.dataset_type for one in CALIB_NAMES if one.dataset_type in tables]
    brought = [name for name in tables if name not in order]
    return Catalogue(scheme=scheme, tables={name: tables[name] for name in (*brought, *order)}, parameters=parameters)


def with_declared(scheme: str, declared: Mapping[str, Any]) -> Catalogue:
    """Return the shipped types with what a configuration says: another scheme, changed types and new ones.

    Parameters
    ----------
    scheme : str
        new or legacy.
    declared : mapping
        Type to its table, as TOML gives it.

    Raises
    ------
    UserInputError
        E-RECIPE: an unknown entry, step, parameter or type, or a circle.
    """
    return _with_declared(scheme or NEW_SCHEME, json.dumps(declared, sort_keys=False, default=str))


@functools.lru_cache(maxsize=16)
def _with_declared(scheme: str, text: str) -> Catalogue:
    if scheme not in SCHEMES:
        raise wrong(f"there is no dependency scheme {scheme!r}", f"known: {', '.join(SCHEMES)}")
    base, declared = shipped(scheme), json.loads(text)
    if not declared:
        return base
    tables = dict(base.tables)
    names: list[CalibName] = []
    for name, table in declared.items():
        _check_table(name, table)
        like = table.get("like", "")
        if like and like not in tables:
            raise wrong(f"[types.{name}] is like {like!r}, which is no type", _nearest(like, tables))
        if name in tables:
            tables[name] = merged(tables[name], table)
            continue
        check_part("tag", name)
        tables[name] = merged({**tables[like], "product": name} if like else {}, table)
        for entry in ("title", "dimensions", "storage_class", "steps"):
            if entry not in tables[name]:
                raise wrong(f"[types.{name}] has no {entry}", 'give it, or take them from a type: like = "bias"')
        names.append(_declared_name(name, tables[name], like, base))
    found = Catalogue(scheme=scheme, tables=tables, parameters=base.parameters, declared_names=tuple(names))
    found.check()
    return found


def merged(table: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Return a table with another's entries; tables inside are joined, lists are replaced."""
    found = dict(table)
    for key, value in other.items():
        old = found.get(key)
        found[key] = merged(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return found


def wrong(told: str, hint: str) -> UserInputError:
    """Return the error of a recipe."""
    return UserInputError(told, hint=hint, code="E-RECIPE")


def _nearest(name: str, known: Mapping[str, object]) -> str:
    near = did_you_mean(name, known)
    return (f"did you mean {near}? " if near else "") + f"known: {', '.join(known)}"


def _declared_name(name: str, table: Mapping[str, Any], like: str, base: Catalogue) -> CalibName:
    model = next((one for one in CALIB_NAMES if one.dataset_type == like), CalibName(dataset_type=""))
    is_bootstrap = model.is_bootstrap
    found = CalibName(
        dataset_type=name,
        stem=str(table.get("stem", f"{name}Gen")),
        certified="" if is_bootstrap else str(table.get("certified", name)),
        verification=str(table.get("verification", "")),
        has_band=bool(table.get("has_band", model.has_band)),
        is_bootstrap=is_bootstrap,
    )
    for attribute in ("stem", "certified", "verification"):
        value = getattr(found, attribute)
        if value:
            check_part("tag", value)
        if value and any(getattr(one, attribute) == value for one in CALIB_NAMES):
            raise wrong(
                f"[types.{name}] {attribute} {value!r} is the name of another type", f"{GRAMMARS['tag'][1]}; not taken"
            )
    return found


def _check_table(name: str, table: object) -> None:
    if not isinstance(table, Mapping):
        raise wrong(f"[types] {name} is no table", f"write [types.{name}]")
    for key in table:
        if key not in _TYPE_ENTRIES:
            near = did_you_mean(key, _TYPE_ENTRIES)
            guess = f"did you mean {near}? " if near else ""
            raise wrong(f"[types.{name}] has no entry {key!r}", f"{guess}known: {', '.join(_TYPE_ENTRIES)}")
    kinds: tuple[tuple[type, str, tuple[str, ...]], ...] = (
        (list, "a list", ("dimensions", "needs", "wants", "takes", "existing", "parameters", "steps")),
        (dict, "a table", ("new", "legacy", "defaults", "intermediates", "instruments", "mini", "rules")),
        (bool, "true or false", ("pictures", "has_band")),
    )
    for kind, told, keys in kinds:
        for key in keys:
            if key in table and not isinstance(table[key], kind):
                raise wrong(f"[types.{name}] {key} = {table[key]!r} is not {told}", "mend the entry")
    for step in table.get("steps", ()):
        for key in step if isinstance(step, Mapping) else ():
            if key not in _STEP_ENTRIES:
                raise wrong(f"[[types.{name}.steps]] has no entry {key!r}", f"known: {', '.join(_STEP_ENTRIES)}")
        if not isinstance(step, Mapping) or not {"name", "task", "per", "outputs"} <= set(step):
            raise wrong(f"[[types.{name}.steps]] a step has a name, a task, what it is per, and outputs", "give them")
    for other in table.get("intermediates", {}).values():
        if not isinstance(other, Mapping) or not set(other) <= set(_OTHER_ENTRIES) or "storage_class" not in other:
            raise wrong(f"[types.{name}.intermediates] each has a storage_class", f"known: {', '.join(_OTHER_ENTRIES)}")


def _check_type(one: CalibType, known: Mapping[str, object]) -> None:
    for parent in one.parents.all:
        if parent not in known:
            raise wrong(f"{one.name} needs or wants {parent!r}, which is no type", _nearest(parent, known))
    tasks = known_tasks()
    made = {made.name for made in one.all_dataset_types}
    before: set[str] = set()
    for step in one.steps:
        if step.task not in tasks:
            raise wrong(
                f"{one.name}: step {step.name} is the task {step.task!r}, which there is not",
                _nearest(step.task, dict.fromkeys(tasks)),
            )
        for output in step.outputs:
            if output not in made:
                raise wrong(f"{one.name}: step {step.name} makes {output}", f"made are: {', '.join(sorted(made))}")
        for given in step.inputs:
            if given not in before:
                told = ", ".join(sorted(before)) or "nothing"
                raise wrong(f"{one.name}: step {step.name} reads {given}", f"made before it: {told}")
        before |= set(step.outputs)
    if one.steps and one.dataset_type.name not in before:
        raise wrong(f"no step of {one.name} makes {one.dataset_type.name}", "name it among the outputs of a step")


@functools.cache
def known_tasks() -> tuple[str, ...]:
    """Return the tasks that steps of the shipped types use: all that a site may build its own types from."""
    tables = shipped().tables.values()
    found = [
        str(step["task"])
        for table in tables
        for steps in (table.get("steps", ()), *(one.get("steps", ()) for one in table.get("instruments", {}).values()))
        for step in steps
    ]
    return tuple(dict.fromkeys((*found, "mosaic")))


_KINDS: Final = {bool: "flag", int: "int", float: "float", str: "text"}


def _parameter(name: str, table: Mapping[str, Any]) -> Parameter:
    default = table.get("default")
    kind = table.get("type") or _KINDS[type(default)]
    return Parameter(
        name=name,
        kind=kind,
        default=default,
        unit=table.get("unit", ""),
        help=table["help"],
        minimum=table.get("minimum"),
        maximum=table.get("maximum"),
        choices=tuple(table.get("choices", ())),
        is_usual=bool(table.get("usual")),
    )


def _with_default(known: Parameter, value: Any, name: str) -> Parameter:
    try:
        return replace(known, default=known.checked(value))
    except UserInputError as problem:
        raise wrong(f"{name}: {problem.message}", problem.hint) from problem


def _step(name: str, product: str, table: Mapping[str, Any], parameters: tuple[str, ...]) -> Step:
    def filled(texts: Any) -> tuple[str, ...]:
        return tuple(str(text).format(type=name, product=product) for text in texts)

    per = str(table["per"])
    if per not in tuple(Granularity):
        raise wrong(f"{name}: step {table['name']} is per {per!r}", f"one of {', '.join(Granularity)}")
    chosen = tuple(table.get("parameters", parameters))
    stray = [one for one in (*chosen, *table.get("renamed", {})) if one not in parameters]
    if stray:
        listed = ", ".join(parameters) or "it has none"
        raise wrong(f"{name}: step {table['name']} takes {', '.join(stray)}", f"parameters of the type: {listed}")
    return Step(
        name=str(table["name"]),
        task=str(table["task"]),
        per=Granularity(per),
        raws=bool(table.get("raws", False)),
        reason=str(table.get("reason", "")),
        calibs=bool(table.get("calibs", False)),
        geometry=bool(table.get("geometry", False)),
        inputs=filled(table.get("inputs", ())),
        outputs=filled(table["outputs"]),
        parameters=chosen,
        renamed=tuple((str(old), str(new)) for old, new in table.get("renamed", {}).items()),
        fixed=tuple(
            (str(key), value.format(type=name, product=product) if isinstance(value, str) else value)
            for key, value in table.get("fixed", {}).items()
        ),
    )


def _companions(main: DatasetType) -> tuple[DatasetType, ...]:
    per_detector = main.dimensions
    whole = tuple(one for one in main.dimensions if one != "detector")
    binned = tuple(
        DatasetType(name=f"{main.name}Bin{size}", dimensions=per_detector, storage_class="ExposureF", unit=main.unit)
        for size in BINS
    )
    mosaics = tuple(
        DatasetType(name=f"{main.name}Mosaic{size}", dimensions=whole, storage_class="ImageF", unit=main.unit)
        for size in BINS
    )
    thumbnail = DatasetType(name=f"{main.name}Thumbnail", dimensions=whole, storage_class="Thumbnail", suffix="png")
    return (*binned, *mosaics, thumbnail)


def _mosaic_step(product: str) -> Step:
    return Step(
        name="mosaic",
        task="mosaic",
        per=Granularity.INSTRUMENT,
        geometry=True,
        inputs=tuple(f"{product}Bin{size}" for size in BINS),
        outputs=(*(f"{product}Mosaic{size}" for size in BINS), f"{product}Thumbnail"),
    )
