"""The Metrics screen by keys, on a verification with one planted failing amplifier."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from calibstore.model.campaign_records import CampaignRecord
from calibstore.model.codec import canonical_json
from calibstore.model.verdicts import Measured
from calibstore.model.verification_records import JudgementRecord, VerificationRecord
from calibstore.services.judgements import judge, summary_of
from tui.glyphs import asciified
from tui.paint import metrics as paint
from tui.places import Place, parse_place
from tui.plain import screen_text
from tui.spans import length_of, plain_text

TICKET = "DM-7"
BASE = f"LATISS/calib/{TICKET}/t"


@pytest.fixture
def verified_repo(make_repo: Callable[..., Any]) -> Any:
    """A verified bias: amplifier C04 has a noise ratio of 0.5, C05 none, all others of 0.01."""
    repo = make_repo()
    build = repo.add_exposures([f"2025-04-08T20:{n:02d}:00" for n in range(5)])
    others = repo.add_exposures([f"2025-04-11T20:{n:02d}:00" for n in range(3)])
    (product,) = repo.add_run(f"{BASE}/biasGen.20250601a", [0])
    exposures = dict.fromkeys(build, True) | dict.fromkeys(others, False)

    def change(uow: Any, state: int) -> None:
        uow.campaigns.insert_campaign(CampaignRecord(ticket=TICKET, instrument="LATISS", tag="t"), state=state)
        record = VerificationRecord(
            ticket=TICKET,
            calib_type="bias",
            candidate_run=product.run,
            verify_run=f"{BASE}/verifyBias.20250601a",
            job_id="j1",
            candidates={0: product.id},
            exposures=exposures,
        )
        number = uow.verifications.insert(record, state=state)
        values = {"C04": 0.5, "C05": None}
        uow.verifications.insert_metrics(
            number,
            [
                Measured(
                    metric="noise_ratio",
                    value=values.get(amplifier.name, 0.01),
                    unit="1",
                    detector=0,
                    amplifier=amplifier.name,
                    exposure=exposure,
                    in_build=in_build,
                    applied_id=product.id,
                    note="no good pixel" if amplifier.name == "C05" else "",
                )
                for amplifier in uow.repository.camera("LATISS").detectors[0].amplifiers
                for exposure, in_build in exposures.items()
            ],
        )
        for profile, judgement in judge(uow, uow.verifications.of_job("j1")):
            uow.verifications.insert_judgement(
                JudgementRecord(
                    verification_id=number,
                    profile=profile.id,
                    profile_sha256=profile.sha256,
                    profile_json=canonical_json(profile),
                    verdict=str(judgement.verdict),
                    summary=summary_of(judgement),
                ),
                state=state,
            )

    repo.write(change)
    return repo


Settled = Callable[[Any], Awaitable[None]]


async def test_tests_then_an_amplifier_then_back(
    verified_repo: Any, app_of: Callable[..., Any], settled: Settled
) -> None:
    app = app_of(verified_repo.root, "metrics")
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        assert "DM-7" in screen_text(app)
        await pilot.press("enter")
        await settled(pilot)
        shown = screen_text(app)
        assert "[strict FAIL] decides" in shown
        assert "counted 16 amps x (5 build + 3 independent of 1 night)" in shown
        first = next(line for line in shown.splitlines() if line.startswith(">"))
        assert first.split()[:5] == [">", "FAIL", "noise_ratio", "-0.15..0.1", "C04"]
        assert first.split()[6:9] == ["-400%", "10/80", "6/48"]
        assert "median 0.01  σ_MAD 0  n 120" in shown
        assert "C04X" in shown
        assert "C05?" in shown
        await pilot.press("enter")
        await settled(pilot)
        shown = screen_text(app)
        assert app.place.text == "metrics DM-7 --type bias --run 20250601a --test noise_ratio --detector 0 --amp C04"
        assert shown.count("×") >= 8
        assert "20250411" in shown
        assert "RXX_S00 C04 noise_ratio [1]  median 0.5" in shown
        await pilot.press("q")
        await settled(pilot)
        assert "TESTS of bias" in screen_text(app)
        assert not app.errors


async def test_tier_why_and_filters(verified_repo: Any, app_of: Callable[..., Any], settled: Settled) -> None:
    app = app_of(verified_repo.root, f"metrics {TICKET}")
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("v")
        await settled(pilot)
        assert "[peer UNKNOWN]" in screen_text(app)
        await pilot.press("v")
        await settled(pilot)
        assert "[strict FAIL]" in screen_text(app)
        assert "EXPOSURES WITH A RESULT AGAINST THEM" in screen_text(app)
        app.view.filtered("corner")
        await settled(pilot)
        assert app.view.thing().startswith("corner_mean UNKNOWN")
        await pilot.press("i")
        await settled(pilot)
        assert "mean of the residual in the 200 x 200 pixels at the readout corner" in screen_text(app)
        assert not app.errors


async def test_waiver_and_exclusion_fill_forms(
    verified_repo: Any, app_of: Callable[..., Any], settled: Settled, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = app_of(verified_repo.root, f"metrics {TICKET} --test noise_ratio --detector 0 --amp C04")
    filled: list[tuple[str, Any]] = []
    monkeypatch.setattr(app, "fill_in", lambda verb, given, reason="": filled.append((verb, given)))
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        for key in ("w", "x", "R", "H"):
            await pilot.press(key)
            await settled(pilot)
        assert not app.errors
    assert [verb for verb, _ in filled] == ["decide", "campaign inputs", "report", "hail"]
    assert filled[0][1]["waive"][0].startswith("test=noise_ratio,detector=0,amp=C04,reason=WHY,who=NAME,expires=")
    assert filled[1][1]["exclude"][0].endswith("=noise_ratio 0.5 in RXX_S00 C04")
    assert filled[1][1]["purpose"] == "build"


@pytest.mark.parametrize("size", [(40, 12), (60, 16), (80, 24), (300, 100)])
async def test_no_size_breaks_it(
    verified_repo: Any, app_of: Callable[..., Any], settled: Settled, size: tuple[int, int]
) -> None:
    app = app_of(verified_repo.root, f"metrics {TICKET}")
    async with app.run_test(size=size) as pilot:
        await settled(pilot)
        for key in ("tab", "l", "j", "d", "p", "p", "s", "f", "enter", "q", "c"):
            await pilot.press(key)
        await pilot.resize_terminal(80, 24)
        await settled(pilot)
        assert not app.errors


async def test_an_empty_repository_says_what_to_do(
    strict_repo: Any, app_of: Callable[..., Any], settled: Settled
) -> None:
    app = app_of(strict_repo.root, "metrics")
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        assert "7 opens the checklist" in screen_text(app)
        for key in ("v", "i", "w", "x", "e", "R", "H", "d", "p", "s", "f", "enter"):
            await pilot.press(key)
        await settled(pilot)
        assert not app.errors


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_page_folds_and_is_ascii_where_asked(verified_repo: Any, width: int) -> None:
    for words in ("metrics DM-7", "metrics DM-7 --detector 0 --amp C04", "metrics"):
        place = parse_place(words.split())
        lines = paint.page(paint.look(verified_repo.context, place, "LATISS"), width)
        assert max(length_of(one) for one in lines) <= width, words
        assert asciified(plain_text(lines)).isascii()
    text = plain_text(paint.page(paint.look(verified_repo.context, Place("metrics", (TICKET,)), "LATISS"), width))
    assert "WHY" in text
