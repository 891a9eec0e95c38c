"""What goes along of an application folder, and what must not."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path

import pytest

from podium.bundle.files import Bundle, bundle_files
from podium.errors import BundleError
from tests.bundle.folders import write

ENCRYPTED = "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,2C3F\n\n"
AWS = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
KEY = "-----BEGIN {kind}PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n"


def bundled(folder: Path, **options: str) -> Bundle:
    """Return the bundle of an application with one model and what else lies in its folder."""
    return bundle_files(folder, write(folder, **options))  # type: ignore[arg-type]


def names(bundle: Bundle) -> list[str]:
    """Return the names of a bundle's files."""
    return [file.name for file in bundle.files]


def put(folder: Path, name: str, content: str | bytes = "x") -> None:
    """Write a file and the folders on its way."""
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def test_all_goes_along_but_what_tools_made(tmp_path: Path) -> None:
    """Caches, hidden files, virtual environments and editors' copies stay, and are told of."""
    for name in ("about.md", "data/all.csv", "helper.py"):
        put(tmp_path, name)
    for name in (
        ".git/config", ".DS_Store", "__pycache__/helper.pyc", "helper.py~", "data/.x/y",
        "env/pyvenv.cfg", "env/bin/python", "kept/jobs.sqlite", "kept/datasets/1",
    ):  # fmt: skip
        put(tmp_path, name)
    bundle = bundled(tmp_path)
    assert names(bundle) == ["about.md", "data/all.csv", "helper.py", "net.skops", "podium.toml"]
    assert bundle.left_out == (
        ".DS_Store", ".git/", "__pycache__/", "data/.x/", "env/", "helper.py~", "kept/",
    )  # fmt: skip


def test_sizes_are_told_the_largest_first(tmp_path: Path) -> None:
    """A bundle knows its bytes and its largest files; as large ones come by name."""
    put(tmp_path, "b.bin", "x" * 900)
    put(tmp_path, "a.bin", "x" * 900)
    put(tmp_path, "c.bin", "x" * 1000)
    bundle = bundled(tmp_path)
    assert [(file.name, file.size) for file in bundle.largest(3)] == [
        ("c.bin", 1000), ("a.bin", 900), ("b.bin", 900),
    ]  # fmt: skip
    assert bundle.size == 2800 + sum((tmp_path / one).stat().st_size
                                     for one in ("net.skops", "podium.toml"))  # fmt: skip


def test_podiumignore_says_what_else_stays_and_what_goes(tmp_path: Path) -> None:
    """Its lines are those of .gitignore; a later one may take back a default."""
    for name in ("raw/1.csv", "notes.txt", ".well-known", "notes.md"):
        put(tmp_path, name)
    put(tmp_path, ".podiumignore", "# what only I need\nraw/\n*.txt\n!.well-known\n")
    bundle = bundled(tmp_path)
    assert names(bundle) == [".well-known", "net.skops", "notes.md", "podium.toml"]
    assert bundle.left_out == (".podiumignore", "notes.txt", "raw/")


def test_what_the_application_needs_cannot_be_left_out(tmp_path: Path) -> None:
    """A model or a file that podium.toml names is an error, not a server that does not start."""
    put(tmp_path, "about.md")
    put(tmp_path, ".podiumignore", "*.md\n*.skops\n")
    with pytest.raises(BundleError) as caught:
        bundled(tmp_path, more='about = "about.md"')
    assert str(caught.value).splitlines()[1:] == [
        "  about.md is needed, and .podiumignore leaves it out. Change .podiumignore.",
        "  net.skops is needed, and .podiumignore leaves it out. Change .podiumignore.",
    ]


def test_a_hidden_file_of_a_model_goes_along(tmp_path: Path) -> None:
    """What names a model's content is all of its files; a hidden one is no less of it."""
    put(tmp_path, "saved/saved_model.pb")
    put(tmp_path, "saved/.stamp")
    bundle = bundle_files(tmp_path, write(tmp_path, ("saved",)))
    assert names(bundle) == ["podium.toml", "saved/.stamp", "saved/saved_model.pb"]


def test_version_control_in_a_model_is_refused(tmp_path: Path) -> None:
    """A cloned model would take all of its history along."""
    put(tmp_path, "saved/saved_model.pb")
    put(tmp_path, "saved/.git/config")
    with pytest.raises(BundleError) as caught:
        bundle_files(tmp_path, write(tmp_path, ("saved",)))
    assert "  saved/.git is version control's, in the folder of a model. Remove it." in str(
        caught.value
    )


@pytest.mark.parametrize(
    ("name", "risk"),
    [
        (".env", "holds settings of an environment, with their secrets"),
        ("config/.env.production", "holds settings of an environment, with their secrets"),
        ("prod.env", "holds settings of an environment, with their secrets"),
        (".netrc", "holds passwords"),
        (".pgpass", "holds passwords"),
        ("data/credentials.json", "holds credentials"),
        (".pypirc", "holds credentials"),
        ("ssh/id_ed25519", "is a private key"),
        ("tls.P12", "is a private key"),
        ("tls/server.key", "is a private key"),
        ("kubeconfig", "holds credentials"),
        ("config/prod.kubeconfig", "holds credentials"),
    ],
)
def test_secrets_are_told_by_their_names(tmp_path: Path, name: str, risk: str) -> None:
    """Hidden or not, a file of secrets is refused by its name, with the way out."""
    put(tmp_path, name)
    with pytest.raises(BundleError) as caught:
        bundled(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path} cannot go along as it is:\n  {name} {risk}. Move it out of the folder, or "
        "name it in .podiumignore; the application gets secrets from its environment."
    )


@pytest.mark.parametrize(
    "content",
    [
        KEY.format(kind=""),
        KEY.format(kind="RSA "),
        KEY.format(kind="OPENSSH "),
        "# a certificate, and\r\n" + KEY.format(kind="EC ").replace("\n", "\r\n"),
        '{"type": "service_account", "private_key": "'
        + KEY.format(kind="").replace("\n", "\\n") + '"}',
        KEY.format(kind="RSA ").replace("\n", f"\n{ENCRYPTED}", 1),
        KEY.format(kind="RSA ").replace("\n", f"\n{ENCRYPTED}", 1).replace("\n", "\r\n"),
        '{"key": "' + KEY.format(kind="RSA ").replace("\n", f"\n{ENCRYPTED}", 1)
        .replace("\n", "\\n") + '"}',
        "-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: GnuPG v2 \nComment: at C:\\home\n\n"
        "lQOYBF+abcABCAD\n",
    ],
    ids=["pkcs8", "rsa", "openssh", "windows", "service account", "encrypted",
         "encrypted, windows", "encrypted, json", "pgp"],
)  # fmt: skip
def test_private_keys_are_told_by_their_content(tmp_path: Path, content: str) -> None:
    """A private key is refused under any name."""
    put(tmp_path, "data/notes.txt", content)
    with pytest.raises(BundleError, match=r"\n  data/notes\.txt holds a private key\. Move it"):
        bundled(tmp_path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("aws/credentials", f"[default]\naws_secret_access_key = {AWS}\n"),
        ("credentials", "[default]\naws_secret_access_key=minioadmin\n"),
        ("run.sh", f"export AWS_SECRET_ACCESS_KEY='{AWS}'\n"),
    ],
)
def test_keys_of_aws_are_told_by_their_content(tmp_path: Path, name: str, content: str) -> None:
    """A secret access key is refused under any name; of `credentials` less is asked."""
    put(tmp_path, name, content)
    with pytest.raises(BundleError) as caught:
        bundled(tmp_path)
    (told,) = str(caught.value).splitlines()[1:]
    assert told.startswith(f"  {name} holds a secret access key of AWS. Move it out of the folder")
    assert "name it in .podiumignore" in told
    put(tmp_path, ".podiumignore", name)
    assert name not in names(bundled(tmp_path))


def test_what_looks_like_credentials_goes_along(tmp_path: Path) -> None:
    """A folder of that name, a table without keys, and code that is given one from elsewhere."""
    put(tmp_path, "credentials/about.md", "How to get aws_secret_access_key = ...")
    put(tmp_path, "data/credentials", "user,aws_access_key_id\n")
    put(tmp_path, "store.py", "Session(aws_secret_access_key=os.environ['AWS_SECRET_ACCESS_KEY'])")
    put(tmp_path, "hash.py", f"aws_secret_access_key = '{AWS}0'")
    assert names(bundled(tmp_path)) == [
        "credentials/about.md", "data/credentials", "hash.py", "net.skops", "podium.toml",
        "store.py",
    ]  # fmt: skip


def test_words_on_keys_are_no_key(tmp_path: Path) -> None:
    """A page that tells what a key looks like, a certificate and an empty form go along."""
    put(tmp_path, "about.md", "A key begins with -----BEGIN PRIVATE KEY----- in its first line.")
    put(tmp_path, "form.txt", "-----BEGIN RSA PRIVATE KEY-----\n" + "a: b: " * 40)
    put(tmp_path, "ca.pem", "-----BEGIN CERTIFICATE-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n")
    put(tmp_path, ".env.example", "TOKEN=\n")
    bundle = bundled(tmp_path)
    assert names(bundle) == ["about.md", "ca.pem", "form.txt", "net.skops", "podium.toml"]
    assert bundle.left_out == (".env.example",)


def test_a_secret_that_podiumignore_names_stays_behind(tmp_path: Path) -> None:
    """Who leaves it out on purpose is not kept from going on."""
    put(tmp_path, ".env")
    put(tmp_path, "keys/id_rsa")
    put(tmp_path, ".podiumignore", ".env\nkeys/\n")
    bundle = bundled(tmp_path)
    assert names(bundle) == ["net.skops", "podium.toml"]
    assert bundle.left_out == (".env", ".podiumignore", "keys/")


def test_a_link_that_leads_outside_is_refused(tmp_path: Path) -> None:
    """What lies elsewhere may be anything; a link to it names where it leads."""
    outside = tmp_path / "elsewhere.csv"
    outside.write_text("x")
    folder = tmp_path / "app"
    write(folder)
    (folder / "data.csv").symlink_to(outside)
    with pytest.raises(BundleError) as caught:
        bundle_files(folder, write(folder))
    assert str(caught.value).splitlines()[1:] == [
        f"  data.csv is a link that leads outside, to {outside}. Put the file itself there, or "
        "name it in .podiumignore."
    ]


def test_links_within_the_folder_are_followed(tmp_path: Path) -> None:
    """A link to a file or a folder brings along what it stands for, one into nowhere nothing."""
    put(tmp_path, "v1/a.csv", "four")
    (tmp_path / "latest").symlink_to("v1")
    (tmp_path / "b.csv").symlink_to(tmp_path / "v1" / "a.csv")
    (tmp_path / "gone.csv").symlink_to("missing.csv")
    bundle = bundled(tmp_path)
    assert [(file.name, file.size) for file in bundle.files if file.name.endswith("csv")] == [
        ("b.csv", 4), ("latest/a.csv", 4), ("v1/a.csv", 4),
    ]  # fmt: skip
    assert bundle.left_out == ("gone.csv",)


@pytest.mark.parametrize("link", ["settings.txt", ".env.example"])
def test_a_link_to_a_secret_is_refused(tmp_path: Path, link: str) -> None:
    """Whatever a link is called, it is judged by what it leads to, too."""
    put(tmp_path, "conf/.env", "TOKEN=1")
    put(tmp_path, ".podiumignore", "!.env.example")
    (tmp_path / link).symlink_to("conf/.env")
    with pytest.raises(BundleError) as caught:
        bundled(tmp_path)
    assert f"\n  {link} holds settings of an environment" in str(caught.value)


def test_a_link_to_what_podiumignore_names_stays_behind(tmp_path: Path) -> None:
    """What is left out on purpose does not go along under another name, but where it is needed."""
    put(tmp_path, "notes/own.txt")
    put(tmp_path, "raw/1.csv")
    put(tmp_path, "raw/about.md")
    put(tmp_path, ".podiumignore", "own.txt\nraw/\n")
    (tmp_path / "settings.txt").symlink_to("notes/own.txt")
    (tmp_path / "data").symlink_to("raw")
    (tmp_path / "about.md").symlink_to("raw/about.md")
    bundle = bundled(tmp_path, more='about = "about.md"')
    assert names(bundle) == ["about.md", "net.skops", "podium.toml"]
    assert bundle.left_out == (
        ".podiumignore", "data/1.csv", "data/about.md", "notes/own.txt", "raw/", "settings.txt",
    )  # fmt: skip


def test_a_hidden_link_of_a_model_that_leads_outside_is_refused(tmp_path: Path) -> None:
    """All files of a model go along, hidden or not; so each is judged as what does."""
    outside = tmp_path / "elsewhere"
    outside.write_text("x")
    folder = tmp_path / "app"
    put(folder, "saved/saved_model.pb")
    (folder / "saved/.stamp").symlink_to(outside)
    with pytest.raises(BundleError, match=r"\n  saved/\.stamp is a link that leads outside, to"):
        bundle_files(folder, write(folder, ("saved",)))


def test_a_link_to_itself_brings_nothing(tmp_path: Path) -> None:
    """It leads nowhere."""
    (tmp_path / "x.csv").symlink_to("x.csv")
    assert bundled(tmp_path).left_out == ("x.csv",)


def test_links_that_lead_in_a_circle_are_refused(tmp_path: Path) -> None:
    """Two folders that link to each other end in an error, not in an endless walk."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "a" / "x").symlink_to("../b")
    (tmp_path / "b" / "y").symlink_to("../a")
    with pytest.raises(BundleError) as caught:
        bundled(tmp_path)
    assert str(caught.value).splitlines()[1:] == [
        "  a/x/y is a link to a folder that holds it. Remove it.",
        "  b/y/x is a link to a folder that holds it. Remove it.",
    ]


def test_a_pickle_goes_along_only_with_trust(tmp_path: Path) -> None:
    """A model that is a program is refused with its hash, and taken when podium.toml has it."""
    content = pickle.dumps({"weights": [1.0]})
    put(tmp_path, "net.pkl", content)
    with pytest.raises(BundleError) as caught:
        bundle_files(tmp_path, write(tmp_path, ("net.pkl",)))
    trust = f'trust = "{hashlib.sha256(content).hexdigest()}"'
    assert "\n  net.pkl is a pickle, which runs code when it is loaded. " in str(caught.value)
    assert trust in str(caught.value)
    bundle = bundle_files(tmp_path, write(tmp_path, ("net.pkl",), each=trust))
    assert names(bundle) == ["net.pkl", "podium.toml"]


def test_weights_of_pytorch_go_along_and_its_programs_do_not(tmp_path: Path) -> None:
    """What is a program is told from a file's content: both are called .pt."""
    import torch

    write(tmp_path)
    torch.save(torch.nn.Linear(2, 2).state_dict(), tmp_path / "weights.pt")
    assert "weights.pt" in names(bundle_files(tmp_path, write(tmp_path, ("weights.pt",))))
    torch.save(torch.nn.Linear(2, 2), tmp_path / "module.pt")
    with pytest.raises(BundleError) as caught:
        bundle_files(tmp_path, write(tmp_path, ("weights.pt", "module.pt")))
    told = str(caught.value).splitlines()[1:]
    assert len(told) == 1
    assert told[0].startswith("  module.pt is a pickle that holds torch.nn.modules.linear.Linear")
