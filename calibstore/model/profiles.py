"""Reads the acceptance profiles that ship with the project and lays a camera's own limits over them."""

import dataclasses
import math
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

from calibstore.errors import UserInputError
from calibstore.model.camera import Camera
from calibstore.model.codec import sha256_of
from calibstore.model.criteria import Criterion, Direction, Needs, Profile, Scope

BASE_TIERS = ("peer", "strict")
_LIMIT_KEYS = {"warn", "fail", "gating", "source", "max_fail_frac_amps", "max_fail_frac_exposures", "unit"}


def load_profile(tier: str = "", *, calib_type: str = "bias", camera: Camera | None = None) -> Profile:
    """Return the tests that judge a calibration of a camera.

    Parameters
    ----------
    tier : str
        ``peer`` or ``strict``; empty: the camera's own (`Camera.limits_profile`), else strict.
    calib_type : str
        Calibration type.
    camera : Camera, optional
        Leaves out the tests that make no sense for it and lays `Camera.limits` over the strict tier; the peer tier is
        never changed. ``limits`` maps a test id to its failing limit, to a mapping with ``warn``, ``fail``, ``gating``,
        ``source``, ``unit`` (must agree), or to None, which takes the test out.

    Raises
    ------
    UserInputError
        If the tier, the calibration type, a test id or a limit is not understood.
    """
    name = tier or (camera.limits_profile if camera is not None else "") or "strict"
    base = name if name in BASE_TIERS else "strict"
    if name not in BASE_TIERS and not (camera is not None and camera.limits and name == camera.limits_profile):
        raise UserInputError(
            f"no acceptance profile {name!r}",
            hint=f"use one of {', '.join(BASE_TIERS)}, or give the camera file its own limits",
            code="E-PROFILE",
        )
    types = [key for key in _data() if key != "tiers"]
    if calib_type not in types:
        raise UserInputError(
            f"no acceptance tests for calibration type {calib_type!r}",
            hint=f"tests exist for: {', '.join(types)}",
            code="E-PROFILE",
        )
    criteria = tuple(_criterion(row, calib_type) for row in _data()[calib_type][base])
    profile_id = base
    if camera is not None and base == "strict" and camera.limits:
        criteria = _with_limits(criteria, camera.limits, camera.instrument)
        profile_id = f"strict+{camera.instrument}" if name in BASE_TIERS else name
    if camera is not None:
        unfit = Needs.NO_OVERSCAN if camera.has_overscan else Needs.OVERSCAN
        criteria = tuple(found for found in criteria if found.needs is not unfit)
    return Profile(
        id=profile_id,
        tier=base,
        sha256=sha256_of(criteria),
        calib_type=calib_type,
        criteria=criteria,
        note=str(_data()["tiers"][base]),
    )


@cache
def _data() -> dict[str, Any]:
    import yaml

    text = resources.files("calibstore.model").joinpath("criteria_data.yaml").read_text(encoding="utf-8")
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded


def _criterion(row: Mapping[str, Any], calib_type: str) -> Criterion:
    values = dict(row) | {
        "calib_type": calib_type,
        "scope": Scope(row["scope"]),
        "direction": Direction(row["direction"]),
        "needs": Needs(row.get("needs", "any")),
        "warn": _limits(row.get("warn")),
        "fail": _limits(row.get("fail")),
    }
    return Criterion(**values)


def _with_limits(
    criteria: tuple[Criterion, ...], limits: Mapping[str, object], instrument: str
) -> tuple[Criterion, ...]:
    known = {found.test for found in criteria}
    for test in limits:
        if test not in known:
            raise UserInputError(
                f"camera {instrument}: limits name an unknown test {test!r}",
                hint=f"tests are: {', '.join(sorted(known))}",
                code="E-LIMITS",
            )
    kept = (found for found in criteria if found.test not in limits or limits[found.test] is not None)
    return tuple(_override(found, limits[found.test], instrument) if found.test in limits else found for found in kept)


def _override(criterion: Criterion, given: object, instrument: str) -> Criterion:
    row = dict(given) if isinstance(given, Mapping) else {"fail": given}
    unknown = set(row) - _LIMIT_KEYS
    unit = row.pop("unit", criterion.unit)
    if unknown or unit != criterion.unit:
        problem = f"unknown keys {', '.join(sorted(unknown))}" if unknown else f"unit {unit!r}, not {criterion.unit!r}"
        raise UserInputError(
            f"camera {instrument}: limits of {criterion.test}: {problem}",
            hint=f"keys are: {', '.join(sorted(_LIMIT_KEYS))}",
            code="E-LIMITS",
        )
    try:
        changes: dict[str, Any] = {**row, **{key: _limits(row[key]) for key in ("warn", "fail") if key in row}}
        if "source" not in changes:
            changes["source"] = f"camera {instrument}"
        if not isinstance(given, Mapping):
            changes["warn"] = ()
        _check_shape(criterion, changes)
        return dataclasses.replace(criterion, **changes)
    except (TypeError, ValueError) as problem:
        raise UserInputError(
            f"camera {instrument}: limits of {criterion.test}: {problem}",
            hint="a limit is a number, or [low, high] for a range",
            code="E-LIMITS",
        ) from problem


def _check_shape(criterion: Criterion, changes: Mapping[str, Any]) -> None:
    wanted = 2 if criterion.direction is Direction.RANGE else 1
    for key in ("warn", "fail"):
        limits = changes.get(key, ())
        if limits and len(limits) != wanted:
            raise ValueError(f"{key} takes {wanted} number(s), not {len(limits)}")
    if not isinstance(changes.get("gating", True), bool):
        raise TypeError("gating is true or false")


def _limits(given: object) -> tuple[float, ...]:
    if given is None:
        return ()
    values = given if isinstance(given, list | tuple) else [given]
    limits = tuple(_number(value) for value in values)
    if len(limits) not in (1, 2):
        raise ValueError(f"a limit is one number or two, not {given!r}")
    return limits


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError(f"{value!r} is not a finite number")
    return float(value)
