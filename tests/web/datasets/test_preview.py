"""The first rows of the results, as the page shows them."""

from __future__ import annotations

from pathlib import Path

from podium.web.datasets.preview import Preview, preview


def test_the_first_rows_show_the_answers_first(tmp_path: Path) -> None:
    """The preview has 20 rows; what is said, if anything, comes first, and long cells are cut."""
    file = tmp_path / "results.csv"
    rows = "".join(f"{row},{'x' * 100},Adelie,0.123456,\n" for row in range(30))
    file.write_text(
        f"\ufeffnumber,note,podium_label,podium_probability,podium_set\n{rows}", "utf-8"
    )
    found = preview(file, own=2)
    assert found is not None
    assert found.header == ("podium_label", "podium_probability", "number", "note")
    assert [row[:3] for row in found.rows] == [("Adelie", "0.1235", str(row)) for row in range(20)]
    assert found.rows[0][3] == "x" * 79 + "…"
    assert found.more == 0


def test_only_the_head_of_a_file_is_read(tmp_path: Path) -> None:
    """Of long rows those are shown that lie whole in its first characters; none if none does."""
    file = tmp_path / "results.csv"
    for size, rows in ((30_000, 4), (200_000, 0)):
        file.write_text("note,podium_label\n" + f'"{"x" * size}",Adelie\n' * 30)
        found = preview(file, own=1)
        assert found is not None
        assert found.rows == (("Adelie", "x" * 79 + "…"),) * rows


def test_a_wide_table_is_previewed_in_part(tmp_path: Path) -> None:
    """Of very many columns some of the file's own are left out, never what is said."""
    file = tmp_path / "results.csv"
    header = [f"c{place}" for place in range(100)] + ["podium_label", "podium_error"]
    file.write_text(",".join(header) + "\n" + ",".join("1" * 102) + "\n")
    found = preview(file, own=100)
    assert found == Preview(("podium_label", "podium_error", *header[:58]), (("1",) * 60,), 2, 42)
    assert preview(tmp_path / "absent.csv", own=1) is None
