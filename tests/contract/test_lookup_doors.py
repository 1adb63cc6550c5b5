"""Single, bulk and cached look-ups are the same on every database."""

from typing import Any

from calibstore.model.times import parse_time
from calibstore.model.timespan import Timespan
from calibstore.services.lookup import Resolver, find_first, winners

TOP = "LATISS/calib"


def test_single_bulk_and_cached_agree_and_see_commits(strict_repo: Any) -> None:
    strict_repo.live("DM-100", "2024-06-01T00:00:00")
    begin = parse_time("2024-10-15T00:00:00").tai_ns
    when = Timespan(begin, begin + 30_000_000_000)
    resolver = Resolver(strict_repo.context, TOP)
    for ticket in ("DM-100", "DM-200"):
        if ticket == "DM-200":
            strict_repo.live(ticket, "2024-10-01T00:00:00")
        with strict_repo.context.unit_of_work() as uow:
            single = find_first(
                uow, dataset_type="bias", instrument="LATISS", detector=0, timespan=when, collections=[TOP]
            )
            bulk = winners(uow, TOP, ["bias"], [when], [0], instrument="LATISS")
        cached = resolver.find("bias", "detector=0 instrument=LATISS", when)
        assert single is not None
        assert cached is not None
        assert ticket in single.collection
        assert single.dataset_id == bulk.dataset_id((0, 0, 0)) == cached.row.dataset_id
    resolver.close()
