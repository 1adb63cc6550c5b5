"""The story of a rehearsal: each step with its reason, its commands and what to look at."""

from collections.abc import Callable
from typing import Final

from calibstore.commands.campaigns import CampaignInputs, CampaignNew, CampaignShow, CampaignTicket, Decide, Hail
from calibstore.commands.generation import Generate, Process, Spot
from calibstore.commands.raws import Ingest, ShowExposures
from calibstore.commands.repository import Init
from calibstore.commands.sites import Deploy, ExportCalibs, Import, Prove
from calibstore.commands.store import CertifyCalibrations, Explain, Fingerprint, QueryCollections
from calibstore.commands.verification import Report, Verify
from calibstore.datastore.camera_file import load_camera
from calibstore.model.names import Names, parse_name, top_chain_of
from calibstore.model.times import ns_to_iso
from calibstore.pipelines.calibration_night import calibration_night_plan
from calibstore.pipelines.rehearsal_plan import (
    BAD_BIAS_SEQ_NUM,
    BUILD_NIGHT,
    INDEPENDENT_NIGHT,
    LATER_NIGHT,
    OLD_NIGHT,
)
from calibstore.pipelines.simulate_raws import rehearsal_plan, simulate_raws
from calibstore.services.judged import judgements_of
from calibstore.services.products import products
from calibstore.services.rehearsal_site import site_metadata
from calibstore.services.rehearsal_walk import HOME, RAWS, SUMMIT, Walk
from calibstore.services.waiver_proposals import proposed_waivers

OPENING: Final = (
    "A rehearsal of the whole procedure, on a simulated camera. Nothing here touches a real repository.",
    "A new sequencer was loaded into the camera: the old bias no longer fits, a new one is needed.",
    "Two things are planted: one bad exposure, and one amplifier that fails its test.",
)
EVERY_PRODUCT: Final = (
    "Nights for every calibration product, on a simulated camera. Nothing here touches a real repository.",
    "Every effect that a product corrects is in the frames, and what is true of each is kept beside them.",
)
_TICKET, _TAG = "DM-99001", "sequencer26"
_HAILING, _DEPLOYMENT = "TAXICAB-99", "DM-99002"
_AT_SUMMIT = "summit-rehearsal"


def prepare(walk: Walk, *, camera: str, is_full: bool, seed: int, for_all_products: bool = False) -> None:
    """Make the two repositories and take in the simulated frames."""
    walk.step(
        "Prepare: two repositories and simulated raw frames",
        "One repository builds and decides (home), the other stands for the summit. The frames are written as the "
        "camera would write them, then recorded in both.",
    )
    name = f"{camera}:{'simulated' if is_full else 'mini'}"
    walk.facts["instrument"] = load_camera(name).instrument
    for repository, site in ((HOME, "base"), (SUMMIT, "Summit")):
        walk.run(
            Init(
                path=str(walk.root / repository),
                camera=(name,),
                kind="rehearsal",
                site=site,
                name=f"rehearsal-{repository}",
            ),
            repository=repository,
        )
    raws = walk.root / RAWS
    plan = calibration_night_plan if for_all_products else rehearsal_plan
    simulate_raws(plan(load_camera(name), seed, raws))
    for repository in (HOME, SUMMIT):
        walk.run(Ingest(paths=(str(raws),)), repository=repository)


def open_campaign(walk: Walk) -> None:
    """Item 1."""
    walk.step(
        "Item 1, Ticket: open a campaign",
        "Every calibration has a construction ticket. All collection names are built from it, so they are unique "
        "and can be found again. The tag says why, in a word.",
    )
    walk.look(ShowExposures(events=True))
    walk.note(
        "The camera's state changed at the first exposure of the new night: that is where the new bias begins to "
        "be valid."
    )
    walk.run(
        CampaignNew(
            instrument=walk.facts["instrument"],
            ticket=_TICKET,
            tag=_TAG,
            why="camera_change",
            title="bias for the new sequencer",
        )
    )


def choose_inputs(walk: Walk) -> None:
    """Item 2."""
    walk.step(
        "Item 2, Inputs: choose the exposures to build from",
        "A selection is an expression. Its exposures are counted, checked (type, number, camera state) and stored "
        "one by one, with everything left out and why.",
    )
    where = _where(walk, (BUILD_NIGHT,))
    walk.look(ShowExposures(where=where, for_="bias", limit=7))
    walk.note("25 frames: their noise adds 2.1 % to that of a science frame; the limit is 2.5 %.")
    walk.run(CampaignInputs(ticket=_TICKET, calib_type="bias", where=where))


def generate(walk: Walk) -> None:
    """Item 3, first try: the planted exposure is seen."""
    walk.step(
        "Item 3, Generate: build the combined bias, and look at it",
        "Each detector is one piece of work: overscan, gain, clipped mean. It runs as a job of its own; closing the "
        "terminal does not stop it. Then a person looks at the picture.",
    )
    walk.run(Generate(calib_type="bias", ticket=_TICKET))
    walk.run(Spot(calib_type="bias", ticket=_TICKET))
    walk.note(
        f"Exposure {BAD_BIAS_SEQ_NUM} of the list is a planted bad one (light leak, baseline jump). The clipped mean "
        "hides most of it; looking at the frames shows it. So: not ok."
    )
    walk.run(
        Spot(
            calib_type="bias",
            ticket=_TICKET,
            not_ok=True,
            comment="light leak in one frame",
            redo_without=(str(BAD_BIAS_SEQ_NUM),),
        )
    )


def generate_again(walk: Walk) -> None:
    """Item 3, second try."""
    walk.step(
        "Item 3 again: the next rerun letter, without that exposure",
        "A RUN keeps what was made in it for ever. A retry gets the next letter; the exclusion and its reason stay "
        "on record.",
    )
    bad = f"{BUILD_NIGHT}{BAD_BIAS_SEQ_NUM:05d}"
    walk.run(Generate(calib_type="bias", ticket=_TICKET, exclude=(f"{bad}=light leak in one frame",)))
    walk.run(Spot(calib_type="bias", ticket=_TICKET, ok=True, comment="columns at the left are the camera's own"))


def verify(walk: Walk) -> None:
    """Item 4."""
    walk.step(
        "Item 4, Verify on inputs + similar",
        "The candidate is subtracted from exposures and what is left is measured: from those it was built of, and "
        "from independent ones of another night. Only independent ones say for how long it is good.",
    )
    walk.run(
        CampaignInputs(
            ticket=_TICKET,
            calib_type="bias",
            purpose="verify",
            where=_where(walk, (BUILD_NIGHT, INDEPENDENT_NIGHT)),
            exclude=(f"{BUILD_NIGHT}{BAD_BIAS_SEQ_NUM:05d}=light leak in one frame",),
        )
    )
    walk.run(Verify(calib_type="bias", ticket=_TICKET))
    walk.note(
        "Amplifier C04 fails: its noise is far above the camera's. It was planted; on a real camera this is where "
        "you ask the camera team. The tier `peer` is the published test, `strict` is ours."
    )


def certify_and_report(walk: Walk) -> None:
    """Item 5 and the step between."""
    walk.step(
        "Item 5, Report; and certify",
        "The report is what the board reads: verdict first. Certifying gives the validity range, in the ticket's "
        "own chain only: this does not make it live.",
    )
    walk.run(Report(ticket=_TICKET))
    names = Names(walk.facts["instrument"], _TICKET, _TAG)
    rerun = _newest_rerun(walk)
    walk.run(
        CertifyCalibrations(
            run=names.generation("bias", rerun),
            collection=names.certified("bias", rerun[:8] + "a"),
            dataset_type="bias",
            begin_date=_first_exposure_of(walk, BUILD_NIGHT),
        )
    )
    walk.note("Begin: the first exposure under the new sequencer. End: open, until something newer is put before it.")


def try_too_early(walk: Walk) -> None:
    """The gate."""
    walk.step("Try to make it live now", "It must not work: nobody has decided yet.")
    walk.refused(Deploy(destination="home", ticket=_TICKET))


def hail_and_decide(walk: Walk) -> None:
    """Items 6 and 7."""
    walk.step(
        "Items 6 and 7, TAXICAB ticket and deployment ticket: hail, decide",
        "The board decides by consensus, on evidence. What failed is either mended or waived: for one amplifier and "
        "one test, with a reason, a name and an end date.",
    )
    walk.run(CampaignTicket(ticket=_TICKET, role="deployment", key=_DEPLOYMENT))
    walk.run(Hail(ticket=_TICKET, key=_HAILING))
    walk.refused(Decide(ticket=_TICKET, outcome="adopt", people=("A. Chair", "B. Reviewer")))
    walk.run(
        Decide(
            ticket=_TICKET,
            outcome="adopt_with_waivers",
            people=("A. Chair", "B. Reviewer"),
            waive=_waivers(walk),
        ),
        reason="C04 is noisy since the warm-up and known to the camera team",
    )


def go_live(walk: Walk) -> None:
    """Item 8, home."""
    walk.step(
        "Item 8, Export/import on approval: live at home",
        "Now the ticket chain is put before the others in the top chain. The preview says which exposures change.",
    )
    walk.run(Deploy(destination="home", ticket=_TICKET))
    walk.look(QueryCollections(glob=top_chain_of(walk.facts["instrument"])))
    walk.look(Explain(exposure=str(_exposure(LATER_NIGHT, 1)), detector=0, dataset_type="bias"))
    walk.look(Explain(exposure=str(_exposure(OLD_NIGHT, 5)), detector=0, dataset_type="bias"))
    walk.note("An exposure under the old sequencer gets no new bias: it is before the begin.")


def go_to_the_summit(walk: Walk) -> None:
    """Item 8, elsewhere."""
    walk.step(
        "Item 8, at the second site: export, import, chain",
        "A bundle carries files, ranges, chains, checksums and the board's decision. The import is all or nothing, "
        "and a second time changes nothing.",
    )
    bundle = walk.root / "bundle"
    walk.run(ExportCalibs(directory=str(bundle), collections=(_ticket_chain(walk),)))
    walk.run(Import(directory=str(bundle)), repository=SUMMIT)
    walk.run(Import(directory=str(bundle)), repository=SUMMIT)
    walk.run(Deploy(destination=_AT_SUMMIT, ticket=_TICKET, location=str(walk.root / SUMMIT), bundle=str(bundle)))


def prove(walk: Walk) -> None:
    """Item 8, proof of use."""
    walk.step(
        "Item 8, proof of use",
        "Chained is not used. The site processes an exposure with its own software; the file's header says which "
        "bias was applied, and that is compared with what should apply. Here that file is simulated too.",
    )
    walk.run(Process(exposure=_exposure(LATER_NIGHT, 1), detector=0))
    walk.note("That was our own processing: a self-check. It proves nothing about the site's software.")
    for repository, destination in ((HOME, "home"), (SUMMIT, _AT_SUMMIT)):
        file = site_metadata(walk.at(repository), walk.facts["instrument"], _exposure(LATER_NIGHT, 1))
        walk.run(Prove(destination=destination, ticket=_TICKET, file=str(file)))
    walk.look(Fingerprint(against=str(walk.root / SUMMIT)))


def look_back(walk: Walk) -> None:
    """The whole checklist."""
    walk.step("The checklist", "Nine items, each derived from what the repository holds. Nothing is ticked by hand.")
    walk.look(CampaignShow(ticket=_TICKET))


STORY: Final[tuple[Callable[[Walk], None], ...]] = (
    open_campaign,
    choose_inputs,
    generate,
    generate_again,
    verify,
    certify_and_report,
    try_too_early,
    hail_and_decide,
    go_live,
    go_to_the_summit,
    prove,
    look_back,
)
"""The steps after the preparation, in order."""


def _where(walk: Walk, nights: tuple[int, ...]) -> str:
    chosen = f"={nights[0]}" if len(nights) == 1 else f" in ({', '.join(str(night) for night in nights)})"
    return f"instrument='{walk.facts['instrument']}' and exposure.observation_type='bias' and exposure.day_obs{chosen}"


def _exposure(day_obs: int, seq_num: int) -> int:
    return day_obs * 100_000 + seq_num


def _ticket_chain(walk: Walk) -> str:
    return Names(walk.facts["instrument"], _TICKET, _TAG).ticket_chain


def _newest_rerun(walk: Walk) -> str:
    with walk.at(HOME).unit_of_work() as uow:
        return parse_name(products(uow, _TICKET, "bias").run.name).rerun


def _first_exposure_of(walk: Walk, day_obs: int) -> str:
    with walk.at(HOME).unit_of_work() as uow:
        (first,) = uow.exposures.by_ids(walk.facts["instrument"], [_exposure(day_obs, 1)])
    return ns_to_iso(first.timespan.begin_tai_ns)


def _waivers(walk: Walk) -> tuple[str, ...]:
    """Fill in the waivers that `decide` proposes for what failed."""
    context = walk.at(HOME)
    with context.unit_of_work() as uow:
        verification = uow.verifications.latest(_TICKET, "bias")
        assert verification is not None
        deciding = judgements_of(uow, verification, uow.repository.camera(walk.facts["instrument"]))[0]
    texts = proposed_waivers(deciding, now_tai_ns=context.clock())
    return tuple(
        text.replace("reason=WHY", "reason=known noisy amplifier").replace("who=NAME", "who=A. Chair") for text in texts
    )
