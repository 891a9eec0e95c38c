"""Zip archives of pictures: as people make them, and as attackers do."""

from __future__ import annotations

import zipfile
from io import FileIO
from pathlib import Path

import pytest

from podium.app import App
from podium.datasets.place import Format, Place
from podium.datasets.reading import Upload, archive
from podium.datasets.run import run
from podium.datasets.scoring.pictures import open_pictures, portions
from podium.datasets.wishes import Wishes
from podium.errors import DataError, FieldError
from tests.support.apps import write_colours
from tests.support.archives import LINK, changed, listed_only, zipped
from tests.support.pictures import RED, encoded, plain, png
from tests.support.staging import COLOURS, Taken, refusal, take

PICTURE = png(RED)
PINK, MINT, SKY = (255, 180, 180), (180, 255, 180), (180, 180, 255)
"""Colours that are more red, green or blue than anything else."""


def take_pictures(folder: Path, *members: tuple[str, bytes], target: str | None = None) -> Taken:
    """Take in an archive for the application of colours."""
    return take(folder, zipped(members), "pictures.zip", COLOURS, target)


def read_all(folder: Path, taken: Taken, limit: int = 10**6) -> list[bytes | str]:
    """Return what scoring gets of each picture: its bytes, or why there are none."""
    pictures = open_pictures(folder / "upload", taken.staged, limit)
    assert pictures is not None
    with pictures:
        found = [pictures.read(str(row[0] or "")) for row in taken.rows]
    return [one.message if isinstance(one, FieldError) else one for one in found]


def results(folder: Path, upload: Upload) -> list[list[str]]:
    """Score a data set by the application of colours; return its results without numbers."""
    app = App(write_colours(folder / "app"), patient=True)
    place = Place(folder / "job")
    kinds: tuple[Format, ...] = ("csv",)
    run(app, place, upload, Wishes(), kinds, lambda *_: None)
    lines = place.results("csv").read_text("utf-8").splitlines()
    return [[*line.split(",")[:3], line.rpartition(",")[2]] for line in lines]


def test_pictures_come_in_natural_order_and_other_files_are_told(tmp_path: Path) -> None:
    """2 stands before 10; what is no picture is counted, and archives within stay shut."""
    taken = take_pictures(
        tmp_path, ("b/10.png", PICTURE), ("b/2.PNG", PICTURE), ("b/01.jpg", PICTURE),
        ("A.heic", PICTURE), ("__MACOSX/b/._2.png", b"x"), ("b/.DS_Store", b"x"),
        ("notes.txt", b"x"), ("more.zip", zipped([("3.png", PICTURE)])), ("folder/", b""),
    )  # fmt: skip
    assert [row[0] for row in taken.rows] == ["A.heic", "b/01.jpg", "b/2.PNG", "b/10.png"]
    assert (taken.staged.kind, taken.columns, taken.staged.target) == ("zip", ["image"], None)
    assert taken.staged.notes == (
        "Left out: 3 files that no picture is in (__MACOSX/b/._2.png, b/.DS_Store, notes.txt).",
        "Archives in it are not opened: more.zip.",
    )


def test_folders_that_are_labels_are_the_true_labels(tmp_path: Path) -> None:
    """Their case is forgiven; with a folder that is no label none is taken, which is told."""
    members = (("set/Red/1.png", PICTURE), ("set/BLUE/1.png", PICTURE))
    taken = take_pictures(tmp_path, *members)
    assert taken.rows == [("set/BLUE/1.png", "blue", None), ("set/Red/1.png", "red", None)]
    assert (taken.columns, taken.staged.target) == (["image", "colour"], 1)
    assert taken.staged.notes == (
        "The true labels, column 'colour', are the names of the folders.",
    )
    taken = take_pictures(tmp_path, *members, ("violet/1.png", PICTURE), ("2.png", PICTURE))
    assert (taken.columns, taken.staged.notes) == (["image"], (
        "No true labels are taken from the folders, since some are none: "
        "pictures outside of any, violet.",
    ))  # fmt: skip
    made = zipped([("violet/1.png", PICTURE)])
    assert refusal(tmp_path, made, signature=COLOURS, target="hue").startswith(
        "there is no such column, and the folders are no labels: violet."
    )


def test_archive_without_true_labels_is_told_how_to_have_them(tmp_path: Path) -> None:
    """The note says that folders or a CSV file may tell them."""
    upload = tmp_path / "upload"
    upload.write_bytes(zipped([("1.png", PICTURE), ("2.png", PICTURE)]))
    app = App(write_colours(tmp_path / "app"), patient=True)
    place = Place(tmp_path / "job")
    found = run(app, place, Upload(upload, "x.zip"), Wishes(), ("csv",), lambda *_: None)
    assert found.notes[0] == (
        "There is no column 'colour', so nothing says which answers are right: the models are not "
        "judged. To have them judged, name the folders of the images as the labels (red, green, "
        "blue, rest), or put a CSV file with the columns 'image' and 'colour' into the archive."
    )


def test_csv_in_the_archive_names_the_pictures(tmp_path: Path) -> None:
    """Paths count from its folder or from the top; only pictures of the archive are ever found."""
    names = ["1.png", "set/2.png", ".\\2.png", "3.png", "../../../etc/passwd", "/etc/passwd", "",
             str(tmp_path / "upload")]  # fmt: skip
    lines = "\n".join(f'"{name}",red,{i}' for i, name in enumerate(names))
    taken = take_pictures(
        tmp_path, ("set/1.png", PICTURE), ("set/2.png", b"two"),
        ("set/labels.csv", f"File,colour,note\n{lines}\n".encode()),
    )  # fmt: skip
    assert (taken.staged.kind, taken.columns) == ("zip", ["File", "colour", "note"])
    assert taken.staged.notes[0] == "The pictures are those that set/labels.csv names."
    assert taken.staged.target == 1
    found = read_all(tmp_path, taken)
    assert found[:3] == [PICTURE, b"two", b"two"]
    missing = ["3.png", "../../../etc/passwd", "/etc/passwd", "", str(tmp_path / "upload")[:80]]
    assert found[3:] == [f"there is no file {name!r} in the archive" for name in missing]


def test_csv_that_names_no_pictures_is_left_out(tmp_path: Path) -> None:
    """The folders count then; the note tells why."""
    taken = take_pictures(tmp_path, ("red/1.png", PICTURE), ("about.csv", b"name,size\nx,1\n"))
    assert taken.rows == [("red/1.png", "red", None)]
    assert taken.staged.notes[1].startswith("about.csv, image: there is no such column.")


def test_only_the_picture_that_cannot_be_read_fails(tmp_path: Path) -> None:
    """A link, a password, a foreign compression, a name that leads outside: each has its reason."""
    made = zipped([("a.png", PICTURE), ("b.png", PICTURE), ("c.png", PICTURE), ("d.png", b"x" * 9),
                   ("../e.png", PICTURE), ("C:\\f.png", PICTURE), ("/g.png", PICTURE)])  # fmt: skip
    made = changed(made, "b.png", 8, 1, 2)
    made = changed(made, "c.png", 10, 9, 2)
    taken = take(tmp_path, made, "a.zip", COLOURS)
    outside = "its name leads outside of the archive: "
    encrypted = "is encrypted; make the archive without a password"
    foreign = "is compressed in a way that is not read; make the archive as an ordinary .zip"
    assert taken.rows == [
        ("../e.png", outside + "../e.png"), ("/g.png", outside + "/g.png"), ("a.png", None),
        ("b.png", encrypted), ("c.png", foreign), ("C:\\f.png", outside + "C:\\f.png"),
        ("d.png", None),
    ]  # fmt: skip
    found = read_all(tmp_path, taken, len(PICTURE))
    assert found[2] == PICTURE
    assert found[3:5] == [encrypted, foreign]
    linked = take(tmp_path, zipped([("l.png", b"/etc/passwd")], attributes=LINK), "a", COLOURS)
    assert read_all(tmp_path, linked) == [
        "is a symbolic link, which is not followed; put the file itself into the archive"
    ]


def test_picture_is_unpacked_no_further_than_the_limit(tmp_path: Path) -> None:
    """Whether its header tells its size or lies about it."""
    honest = zipped([("a.png", b"\0" * 3_000_000)])
    taken = take(tmp_path, honest, "a.zip", COLOURS)
    assert read_all(tmp_path, taken) == ["unpacks to more than 1 MB"]
    taken = take(tmp_path, changed(honest, "a.png", 24, 50), "a.zip", COLOURS)
    (told,) = read_all(tmp_path, taken)
    assert str(told).startswith("is damaged in the archive: Bad CRC-32")


def test_damaged_member_is_told(tmp_path: Path) -> None:
    """Bytes that were changed on their way are noticed."""
    made = zipped([("a.png", PICTURE)], zipfile.ZIP_STORED)
    taken = take(tmp_path, made.replace(PICTURE[40:50], b"0123456789"), "a.zip", COLOURS)
    (told,) = read_all(tmp_path, taken)
    assert str(told).startswith("is damaged in the archive: Bad CRC-32")


FORGED = {
    "bomb": (zipped([(f"{i}.png", b"\0" * 20_000_000) for i in range(6)]),
             "it would unpack to far more than its size, as a zip bomb does"),
    "twice": (zipped([("a.png", PICTURE), ("b.png", PICTURE)]).replace(b"b.png", b"a.png"),
              "it holds a name twice. Make the archive anew."),
    "overlap": (changed(zipped([("a.png", PICTURE), ("b.png", PICTURE)]), "b.png", 42, 4),
                "files in it overlap, as in a zip bomb. Make the archive anew."),
    "directory": (listed_only(400_000), "it cannot be read as a zip archive (its list of files has "
                  "18,800,000 bytes; at most 16,000,000). Was it sent whole? Make it anew."),
    "many": (listed_only(100_001), "it holds 100,001 files; at most 100,000 are taken. "
             "Send them in several archives."),
    "short": (zipped([("a.png", PICTURE)])[:-30], "it cannot be read as a zip archive "
              "(File is not a zip file). Was it sent whole? Make it anew."),
    "none": (zipped([]), "it holds no pictures (.jpg, .jpeg, .jpe, .jfif, .png, .webp, .gif, .tif, "
             ".tiff, .bmp, .avif, .heic, .heif). It is empty."),
    "nested": (zipped([("a.zip", b"x")]), "it holds no pictures (.jpg, .jpeg, .jpe, .jfif, .png, "
               ".webp, .gif, .tif, .tiff, .bmp, .avif, .heic, .heif). "
               "Archives in it are not opened: a.zip."),
}  # fmt: skip


@pytest.mark.parametrize("kind", FORGED)
def test_forged_archive_is_refused(tmp_path: Path, kind: str) -> None:
    """What no program makes is refused as a whole, before anything is unpacked."""
    content, reason = FORGED[kind]
    assert refusal(tmp_path, content, "pictures.zip", COLOURS) == reason


def test_path_in_a_csv_that_was_sent_is_never_read_from_the_disk(tmp_path: Path) -> None:
    """Only the caller's own file on the command line may name pictures on this machine."""
    (tmp_path / "1.png").write_bytes(PICTURE)
    body = f"image,colour\n1.png,red\n{tmp_path / '1.png'},red\n".encode()
    assert refusal(tmp_path, body, "a.csv", COLOURS).startswith("holds no pictures. Expected a zip")
    made = zipped([("a.csv", body)])
    taken = take(tmp_path, made, "a.zip", COLOURS)
    assert taken.staged.local is False
    found = read_all(tmp_path, taken)
    assert [str(one).startswith("there is no file") for one in found] == [True, True]


def test_own_list_and_own_folder_of_pictures_are_read_from_the_disk(tmp_path: Path) -> None:
    """On the command line a CSV may name them, or a folder is taken as its archive would be."""
    folder = tmp_path / "mine"
    (folder / "red").mkdir(parents=True)
    (folder / "red" / "1.png").write_bytes(PICTURE)
    (folder / "red" / "2.png").write_bytes(b"x" * 2_000_000)
    list_ = tmp_path / "mine" / "list.csv"
    list_.write_text("image,colour\nred/1.png,red\nred/3.png,red\nred/2.png,red\n")
    taken = take(tmp_path, list_, "list.csv", COLOURS, local=True)
    assert (taken.staged.kind, taken.staged.local, taken.staged.target) == ("csv", True, 1)
    pictures = open_pictures(list_, taken.staged, 10**6)
    assert pictures is not None
    assert [pictures.read(str(row[0])) for row in taken.rows] == [
        PICTURE, FieldError("image", f"there is no file 'red/3.png' in {folder}"),
        FieldError("image", "has more than 1 MB ([limits] upload)"),
    ]  # fmt: skip
    taken = take(tmp_path, folder, "mine", COLOURS, local=True)
    assert taken.rows == [("red/1.png", "red", None), ("red/2.png", "red", None)]
    assert (taken.staged.kind, taken.staged.notes[0]) == (
        "folder", "Left out: 1 file that no picture is in (list.csv).",
    )  # fmt: skip


def test_large_pictures_are_held_one_at_a_time(tmp_path: Path) -> None:
    """16 million pixels and bytes are held at once; one of unknown size is alone."""
    large = encoded(plain(RED).resize((4000, 3000)), "PNG")
    members = [("0.png", PICTURE), ("1.png", PICTURE), ("2.png", large), ("3.png", large),
               ("4.png", PICTURE), ("5.png", b"broken"), ("6.png", PICTURE)]  # fmt: skip
    taken = take(tmp_path, zipped(members), "a.zip", COLOURS)
    pictures = open_pictures(tmp_path / "upload", taken.staged, 10**6)
    assert pictures is not None
    names = [str(row[0]) for row in taken.rows]
    with pictures:
        parts = [names[part] for part in portions(pictures, names)]
    assert parts == [["0.png", "1.png", "2.png"], ["3.png", "4.png"], ["5.png"], ["6.png"]]


def test_pictures_are_scored_in_their_rows(tmp_path: Path) -> None:
    """Each row has its answer or its reason, as the page and the command line give them."""
    upload = tmp_path / "upload"
    upload.write_bytes(zipped([
        ("red/1.png", png(PINK)), ("green/2.png", png(MINT)), ("blue/3.png", png(SKY)),
        ("blue/4.png", b"\x89PNG\r\n\x1a\n"), ("blue/5.png", png(MINT)),
    ]))  # fmt: skip
    made = results(tmp_path, Upload(upload, "pictures.zip"))
    assert made == [
        ["image", "colour", "podium_label", "podium_error"],
        ["blue/3.png", "blue", "blue", ""],
        ["blue/4.png", "blue", "", made[2][3]],
        ["blue/5.png", "blue", "green", ""],
        ["green/2.png", "green", "green", ""],
        ["red/1.png", "red", "red", ""],
    ]
    assert made[2][3] == ' HEIF"'


def test_nothing_is_written_where_a_name_in_an_archive_says(tmp_path: Path) -> None:
    """An archive is read in place: only the one table in it is ever copied, under another name."""
    before = set(tmp_path.rglob("*"))
    take_pictures(tmp_path, ("red/1.png", PICTURE), ("../out.csv", b"image\nred/1.png\n"))
    made = {str(path.relative_to(tmp_path)) for path in set(tmp_path.rglob("*")) - before}
    assert made == {"upload", "work", "work/work.duckdb"}


def test_archive_is_closed_after_a_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No file stays open."""
    file = tmp_path / "a.zip"
    file.write_bytes(FORGED["twice"][0])
    streams: list[FileIO] = []

    def opened(path: Path) -> FileIO:
        streams.append(FileIO(path))
        return streams[-1]

    monkeypatch.setattr(archive, "FileIO", opened)
    with pytest.raises(DataError, match="holds a name twice"):
        archive.Archive(file)
    assert [one.closed for one in streams] == [True]
