"""What removing collections would hit: links, chains, sites, exposures, products, verifications and reports."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from calibstore.model.collections import CollectionType
from calibstore.model.counting import counted
from calibstore.model.data_id import DataId
from calibstore.model.names import CollectionName, NameKind, find_name, top_chain_of
from calibstore.model.records import CollectionRecord
from calibstore.model.site_records import SiteState
from calibstore.model.times import timespan_text
from calibstore.services.destinations import destination_views
from calibstore.services.live_edge import live_top, top_chains
from calibstore.services.previews import Preview, preview_change
from calibstore.services.segments import View, load_view

if TYPE_CHECKING:
    from calibstore.db.removals import Link
    from calibstore.db.unit_of_work import UnitOfWork

SHOWN: Final = 8
_ABSENT: Final = (SiteState.NOT_APPLICABLE, SiteState.PENDING, SiteState.REMOVED)


@dataclass(frozen=True, slots=True, kw_only=True)
class BlastRadius:
    """What stands on some collections, and what would change without them."""

    collections: tuple[CollectionRecord, ...]
    held: tuple[tuple[str, str, int, int], ...]
    """(RUN, dataset type, datasets, bytes) that would go."""
    own_links: "tuple[Link, ...]"
    """Links that the collections hold themselves: they go, the datasets stay."""
    links: "tuple[Link, ...]"
    """Links of other collections to datasets that would go."""
    parents: tuple[tuple[str, str], ...]
    """(collection, chain that lists it and stays)."""
    live: tuple[tuple[str, str], ...]
    """(collection, live chain) of what processing can find: the collection itself, or one that links its datasets."""
    sites: tuple[tuple[str, str, str], ...]
    """(ticket, destination, state) of what was brought elsewhere, or is live here."""
    made_from: tuple[tuple[str, str, int], ...]
    """(RUN, dataset type, datasets) made from datasets that would go."""
    verifications: tuple[tuple[int, str, str, str], ...]
    """(number, ticket, calibration type, verify RUN) that cite a RUN that would go."""
    reports: tuple[tuple[str, str], ...]
    """(ticket, path) that cite such a verification."""
    jobs: tuple[tuple[str, str], ...]
    """(job, RUN) that still write into one."""
    previews: tuple[Preview, ...] = field(default=(), repr=False)
    """Through the top chains, then through the other chains concerned."""

    @property
    def n_links(self) -> int:
        """Links of other collections that would go."""
        return sum(one.n for one in self.links)

    @property
    def n_taken(self) -> int:
        """Exposures already taken that would get another answer from what is live."""
        return sum(preview.counts.taken for preview in self.previews if preview.is_live)

    @property
    def is_protected(self) -> bool:
        """Whether anything that stays stands on it."""
        return bool(
            self.links or self.parents or self.live or self.sites or self.made_from or self.verifications or self.jobs
        )

    def summary(self) -> str:
        """Return what stands on it in one line, such as ``protected: 9 links, 1 chain``; empty when nothing does."""
        counts = [
            counted(number, noun)
            for number, noun in (
                (self.n_links, "link"),
                (len(self.parents), "chain"),
                (len(self.sites), "site"),
                (sum(n for _, _, n in self.made_from), "product"),
                (len(self.verifications), "verification"),
                (len(self.reports), "report"),
                (len(self.jobs), "job"),
            )
            if number
        ]
        if not self.is_protected:
            return ""
        return f"protected: {', '.join(counts) or 'live'}"

    def lines(self) -> tuple[str, ...]:
        """Return all of it for people."""
        lines = []
        for one in self.collections[:SHOWN]:
            lines.append(f"{one.type} {one.name}")
            held = [(kind, n, size) for run, kind, n, size in self.held if run == one.name]
            if held:
                size_mb = sum(size for _, _, size in held) / 1e6
                lines.append(
                    f"  {', '.join(f'{n} {kind}' for kind, n, _ in held)} ({size_mb:.1f} MB, which stay on disk)"
                )
        lines += _more(self.collections)
        lines += _grouped("its own links", self.own_links)
        lines += _grouped("links to its datasets", self.links)
        lines += _listed("listed by", [f"{chain} lists {name}" for name, chain in self.parents])
        lines += _listed(
            "live",
            [
                f"{chain} leads to {name}" if chain != name else f"{name} is searched by processing"
                for name, chain in self.live
            ],
        )
        lines += _listed("sites", [f"{ticket} at {where}: {state}" for ticket, where, state in self.sites])
        lines += _listed("made from its datasets", [f"{n} {kind} of {run}" for run, kind, n in self.made_from])
        lines += _listed(
            "verifications", [f"{kind} of {ticket} in {run}" for _, ticket, kind, run in self.verifications]
        )
        lines += _listed("reports", [f"of {ticket}: {path}" for ticket, path in self.reports])
        lines += _listed("jobs under way", [f"{one} writes into {run}" for one, run in self.jobs])
        for preview in self.previews:
            lines += preview.lines() if preview.changes else ()
        return tuple(lines)

    @property
    def data(self) -> dict[str, object]:
        """The same for scripts."""

        def plain(link: "Link") -> dict[str, object]:
            return {
                "collection": link.collection,
                "dataset_type": link.dataset_type,
                "begin_tai_ns": link.timespan.begin_tai_ns if link.timespan else None,
                "end_tai_ns": link.timespan.end_tai_ns if link.timespan else None,
                "n": link.n,
            }

        return {
            "collections": [{"name": one.name, "type": str(one.type)} for one in self.collections],
            "held": [{"run": run, "dataset_type": kind, "n": n, "bytes": size} for run, kind, n, size in self.held],
            "own_links": [plain(one) for one in self.own_links],
            "links": [plain(one) for one in self.links],
            "parents": [{"collection": name, "chain": chain} for name, chain in self.parents],
            "live": [{"collection": name, "chain": chain} for name, chain in self.live],
            "sites": [{"ticket": ticket, "destination": one, "state": state} for ticket, one, state in self.sites],
            "made_from": [{"run": run, "dataset_type": kind, "n": n} for run, kind, n in self.made_from],
            "verifications": [
                {"id": number, "ticket": ticket, "calib_type": kind, "verify_run": run}
                for number, ticket, kind, run in self.verifications
            ],
            "reports": [{"ticket": ticket, "path": path} for ticket, path in self.reports],
            "jobs": [{"job": one, "run": run} for one, run in self.jobs],
            "is_protected": self.is_protected,
            "previews": [preview.data for preview in self.previews],
        }


def blast_radius(uow: "UnitOfWork", names: Sequence[str], *, now_tai_ns: int) -> BlastRadius:
    """Return what stands on some collections, and what would change without them.

    Parameters
    ----------
    uow : UnitOfWork
        A transaction.
    names : sequence of str
        Collections of any type.
    now_tai_ns : int
        Tells past, tonight and future apart [TAI ns].

    Raises
    ------
    NotFoundError
        If there is no such collection.
    """
    records = tuple(uow.collections.get(name) for name in dict.fromkeys(names))
    runs = tuple(one for one in records if one.type is CollectionType.RUN)
    going = {one.name for one in records}
    tree, tops = uow.associations.tree(), top_chains(uow)
    links = uow.removals.links(runs, records)
    others = tuple(one for one in links if one.collection not in going)
    touched = [*going, *dict.fromkeys(one.collection for one in others)]
    live = [(name, chain) for name in touched if (chain := live_top(tree, name, tops))]
    run_names = [one.name for one in runs]
    verifications = uow.removals.verifications(run_names)
    return BlastRadius(
        collections=records,
        held=uow.removals.held(runs),
        own_links=tuple(one for one in links if one.collection in going),
        links=others,
        parents=tuple(
            (name, chain)
            for chain, children in sorted(tree.children.items())
            for name in children
            if name in going and chain not in going
        ),
        live=tuple(live),
        sites=_sites(uow, touched),
        made_from=uow.removals.made_from(runs),
        verifications=verifications,
        reports=_reports(uow, verifications),
        jobs=uow.removals.open_jobs(run_names),
        previews=_previews(uow, records, [one.collection for one in others], now_tai_ns=now_tai_ns),
    )


def _sites(uow: "UnitOfWork", names: Sequence[str]) -> tuple[tuple[str, str, str], ...]:
    """Return where the tickets of certified collections and ticket chains were brought."""
    chains = {}
    for name in names:
        parsed = find_name(name)
        if parsed is not None and parsed.kind in (NameKind.CERTIFIED, NameKind.TICKET_CHAIN):
            chain = CollectionName(
                kind=NameKind.TICKET_CHAIN,
                instrument=parsed.instrument,
                ticket=parsed.ticket,
                user_prefix=parsed.user_prefix,
            )
            chains[chain.text()] = chain
    return tuple(
        (chain.ticket, view.destination.name, str(view.state))
        for text, chain in sorted(chains.items())
        for view in destination_views(uow, chain.ticket, chain.instrument, text)
        if view.state not in _ABSENT
    )


def _reports(uow: "UnitOfWork", verifications: Sequence[tuple[int, str, str, str]]) -> tuple[tuple[str, str], ...]:
    numbers = {one[0] for one in verifications}
    return tuple(
        (ticket, report.path)
        for ticket in sorted({one[1] for one in verifications})
        for report in uow.campaigns.reports(ticket)
        if numbers & set(report.verification_ids)
    )


def _previews(
    uow: "UnitOfWork", records: Sequence[CollectionRecord], linking: Sequence[str], *, now_tai_ns: int
) -> tuple[Preview, ...]:
    going = {one.name for one in records}
    tops = top_chains(uow)
    tree = uow.associations.tree()
    touched = [*sorted(going), *dict.fromkeys(linking)]
    listing = sorted(chain for chain, children in tree.children.items() if set(children) & set(touched))
    before = load_view(uow, [*tops, *listing, *touched])
    after = _without(before, going, {one.name for one in records if one.type is CollectionType.RUN}, linking)
    above = {chain for name in touched for chain in tree.chains_above(name)}
    previews = []
    for instrument in uow.repository.instruments():
        top, offset_h = top_chain_of(instrument), uow.repository.camera(instrument).day_obs_offset_h
        others = [name for name in (*listing, *dict.fromkeys(linking)) if name not in tops and name not in going]
        for name in [*([top] if top in above else []), *others]:
            old, new = before.segments([name]), after.segments([name])
            if name != top and not any(DataId.parse(key[1]).get("instrument") == instrument for key in old.by_key):
                continue
            previews.append(
                preview_change(
                    uow,
                    top=f"{name} (live)" if name == top else name,
                    before=old,
                    after=new,
                    instrument=instrument,
                    now_tai_ns=now_tai_ns,
                    day_obs_offset_h=offset_h,
                    is_live=name == top,
                )
            )
    return tuple(previews)


def _without(before: View, going: set[str], runs: set[str], linking: Sequence[str]) -> View:
    after = before
    for chain, children in before.tree.children.items():
        if chain in going or going & set(children):
            after = after.with_children(
                chain, () if chain in going else tuple(name for name in children if name not in going)
            )
    for name in dict.fromkeys(linking):
        after = after.with_rows(name, tuple(row for row in before.rows.get(name, ()) if row.run not in runs))
    return after


def _grouped(title: str, links: "Sequence[Link]") -> list[str]:
    groups: dict[tuple[str, str], list[Link]] = {}
    for one in links:
        groups.setdefault((one.collection, one.dataset_type), []).append(one)
    told = []
    for (name, kind), found in groups.items():
        spans = [timespan_text(one.timespan) for one in found if one.timespan]
        ranges = f" for {', '.join(spans[:3])}{' ...' if len(spans) > 3 else ''}" if spans else " (tagged)"
        told.append(f"{sum(one.n for one in found)} {kind} in {name}{ranges}")
    return _listed(title, told)


def _listed(title: str, told: Sequence[str]) -> list[str]:
    return [f"{title}:", *(f"  {one}" for one in told[:SHOWN]), *_more(told)] if told else []


def _more(told: Sequence[object]) -> list[str]:
    return [f"  and {len(told) - SHOWN} more"] if len(told) > SHOWN else []
