"""Every bad file gets the answer that stands beside it; none raises anything but a clear error, and counts add up."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.check import check
from core.datasets import Source
from tests.corpus.bad_files import BAD_FILES, EXPECTED_ANYWAY, Bad


def test_there_are_enough_and_names_differ() -> None:
    assert len(BAD_FILES) >= 120
    assert len({bad.name for bad in BAD_FILES}) == len(BAD_FILES)


@pytest.mark.parametrize("bad", BAD_FILES, ids=lambda bad: bad.name)
def test_bad_file(bad: Bad, tmp_path: Path) -> None:
    file = tmp_path / bad.name
    file.write_bytes(bad.data)
    report = check(Source(file.stem, file)).report
    rows = report.rows
    assert rows["in"] == rows["kept"] + rows["repaired"] + rows["dropped"]
    if bad.rows:
        counts = {"kept": "k", "repaired": "r", "dropped": "d"}
        assert {fate: rows[fate] for fate in counts} == {fate: bad.rows.count(c) for fate, c in counts.items()}, report
    found = {code for code, _ in report.counts}
    wanted = {*bad.codes.split(), *bad.stops.split()}
    assert wanted <= found
    assert found - wanted <= EXPECTED_ANYWAY
    stopped = {code for code, action in report.counts if action == "stopped"}
    if bad.stops:
        assert bad.stops in stopped
    else:
        assert stopped <= {"SH113", "DS905"}
    assert all(finding.message and str(finding) for finding in report.findings)
