"""Pictures from the internet: what is fetched, and what never is."""

from __future__ import annotations

import re
import ssl
import subprocess
from collections.abc import Iterator
from io import BytesIO
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client

from podium.app import App
from podium.errors import InvalidInput, Overloaded
from podium.jobs.state import StateFolder
from podium.strict import Size
from podium.web import fetched
from podium.web.fetched import Fetcher, is_public
from podium.web.form import Form, Upload
from podium.web.wsgi import create_wsgi
from tests.support.apps import write_colours
from tests.support.internet import PUBLIC, Internet, internet, moved, response
from tests.support.missing import program
from tests.support.pictures import RED, encoded, plain

PICTURE = encoded(plain(RED), "PNG")
LIMIT = Size(2000)
NOWHERE = "There is no such host on the public internet."


@pytest.fixture
def net(monkeypatch: pytest.MonkeyPatch) -> Iterator[Internet]:
    """The internet, in which pictures.example has a picture."""
    with internet(monkeypatch) as made:
        made.names["pictures.example"] = [[PUBLIC]]
        made.answers["/red.png"] = [response(PICTURE)]
        yield made


@pytest.fixture
def fetcher() -> Fetcher:
    """One that takes 2 kB, one picture at a time."""
    return Fetcher(LIMIT, 1)


def asked(address: str, **fields: str) -> Form:
    """Return a form that gives an address."""
    return Form({"image_url": [address]} | {name: [text] for name, text in fields.items()}, {})


def refusal(fetcher: Fetcher, address: str) -> str:
    """Return what is said beside the field of an address from which nothing is fetched."""
    with pytest.raises(InvalidInput) as caught:
        fetcher.filled(asked(address))
    (error,) = caught.value.errors
    assert error.field == "image_url"
    return error.message


def test_a_picture_is_fetched_from_the_address_that_was_checked(
    net: Internet, fetcher: Fetcher
) -> None:
    """The picture becomes the form's file; its host is asked by name, at the address found."""
    net.answers["/red.png?a=%20b%20c"] = net.answers["/red.png"]
    form = fetcher.filled(asked(" http://Pictures.Example./red.png?a=%20b c#part ", model="x"))
    assert form == Form({"model": ["x"]}, {"image": [Upload("image_url", PICTURE)]})
    assert net.looked_up == ["pictures.example"]
    assert net.connected == [(PUBLIC, 80)]
    head, *lines = net.requests[0].split("\r\n")
    assert head == "GET /red.png?a=%20b%20c HTTP/1.1"
    assert {"Host: pictures.example", "Accept-Encoding: identity", "Connection: close"} <= {*lines}


def test_a_form_without_an_address_stays_as_it_is(fetcher: Fetcher) -> None:
    """A field that was left blank is left out, and the file counts."""
    files = {"image": [Upload("a.png", PICTURE)]}
    form = Form({"image_url": [" "], "model": ["x"]}, files)
    assert fetcher.filled(form) == Form({"model": ["x"]}, files)


@pytest.mark.parametrize(
    "form",
    [
        Form({"image_url": ["http://pictures.example/"] * 2}, {}),
        Form({"image_url": ["http://pictures.example/"]}, {"image": [Upload("a.png", PICTURE)]}),
    ],
    ids=["two addresses", "a file and an address"],
)
def test_one_picture_at_a_time(net: Internet, fetcher: Fetcher, form: Form) -> None:
    """More than one picture is refused before anything is looked up."""
    with pytest.raises(InvalidInput, match=r"^image_url: Give one picture: a file, or one address"):
        fetcher.filled(form)
    assert net.looked_up == []


PRIVATE = (
    "0.0.0.0", "10.1.2.3", "100.64.0.1", "100.100.100.200", "127.0.0.1",  # noqa: S104
    "127.255.255.254",
    "168.63.129.16", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.0.192",
    "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.51.100.1", "203.0.113.1",
    "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254",
    "::ffff:0:7f00:1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "100::1",
    "2001::1", "2001:db8::1", "2002:7f00:1::1", "2002:a9fe:a9fe::", "3fff::1", "5f00::1",
    "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "ff0e::1",
)  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_what_is_not_public_is_told_like_what_is_not_there(
    net: Internet, fetcher: Fetcher, address: str
) -> None:
    """Nobody learns which names and addresses there are within, and nothing is connected to."""
    net.names["inner.example"] = [[PUBLIC, address]]
    net.names[address.partition("%")[0]] = [[address]]
    literal = f"[{address}]" if ip_address(address).version == 6 else address
    told = [refusal(fetcher, f"http://{host}/")
            for host in ("inner.example", literal, "no.example")]  # fmt: skip
    assert told[0] == told[2] == NOWHERE
    assert told[1] in (NOWHERE, "This is not an address. Expected https://\u2026")
    assert net.connected == []


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "2001:4860:4860::8888", "::ffff:8.8.8.8", "64:ff9b::808:808", "2620:4f:8000::1"],
)
def test_what_is_public(address: str) -> None:
    """Public addresses are, in any way of writing them that networks use."""
    assert is_public(address) is True


def test_a_name_that_changes_its_mind_leads_nowhere_else(net: Internet, fetcher: Fetcher) -> None:
    """A name is looked up once, and what was checked is what is connected to (DNS rebinding)."""
    net.names["pictures.example"] = [[PUBLIC], ["127.0.0.1"]]
    fetcher.filled(asked("http://pictures.example/red.png"))
    assert net.looked_up == ["pictures.example"]
    assert net.connected == [(PUBLIC, 80)]


def test_another_address_of_a_host_is_tried(
    net: Internet, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host one of whose addresses takes no connection is reached at the next one."""
    net.names["pictures.example"] = [["2620:4f:8000::1", PUBLIC]]

    def connect(place: tuple[str, int], timeout: float) -> Any:
        if place[0] != PUBLIC:
            raise ConnectionRefusedError
        return net.connect(place, timeout)

    monkeypatch.setattr("podium.web.fetched.socket.create_connection", connect)
    form = fetcher.filled(asked("http://pictures.example/red.png"))
    assert form.files == {"image": [Upload("image_url", PICTURE)]}


ADDRESSES = {
    "ftp://pictures.example/": "Expected an address that begins with https:// or http://",
    "file:///etc/passwd": "Expected an address that begins with https:// or http://",
    "pictures.example/red.png": "Expected an address that begins with https:// or http://",
    "http:///red.png": "Expected an address that begins with https:// or http://",
    "http://me@pictures.example/": "An address with a user's name or password is not fetched.",
    "http://:@pictures.example/": "An address with a user's name or password is not fetched.",
    "http://pictures.example:8080/": "An address with a port of its own is not fetched.",
    "https://pictures.example:80/": "An address with a port of its own is not fetched.",
    "http://pictures.example:x/": "This is not an address. Expected https://\u2026",
    "http://[::1/": "This is not an address. Expected https://\u2026",
    f"http://{'a' * 64}.example/": "This is not an address. Expected https://\u2026",
    "http://pictures.example\\@inner/": "An address with a user's name or password is not fetched.",
    "http://[zz]/": "This is not an address. Expected https://\u2026",
    "http://pictures.example/\ud800": "This is not an address. Expected https://\u2026",
    "http://pictures example/": NOWHERE,
    "http://pictures.example/" + "a" * 2000: "The address has more than 2000 characters.",
}


@pytest.mark.parametrize(("address", "told"), ADDRESSES.items(), ids=str)
def test_an_address_that_is_not_fetched(
    net: Internet, fetcher: Fetcher, address: str, told: str
) -> None:
    """Anything but a plain http or https address is refused before it is looked up."""
    assert refusal(fetcher, address) == told
    assert net.looked_up == []


def test_an_international_name(net: Internet, fetcher: Fetcher) -> None:
    """A host's name in other letters is looked up as DNS knows it."""
    net.names["xn--bcher-kva.example"] = [[PUBLIC]]
    fetcher.filled(asked("http://B\u00fccher.example/red.png"))
    assert net.looked_up == ["xn--bcher-kva.example"]


def test_redirects_are_followed(net: Internet, fetcher: Fetcher) -> None:
    """Three redirects lead to the picture, each to a host that is looked up for itself."""
    net.names["other.example"] = [[PUBLIC]]
    net.answers["/1"] = [moved("2")]
    net.answers["/2"] = [moved("//other.example/3")]
    net.answers["/3"] = [moved("/red.png")]
    form = fetcher.filled(asked("http://pictures.example/1"))
    assert form.files["image"][0].body == PICTURE
    assert net.looked_up == ["pictures.example", "pictures.example", *["other.example"] * 2]


@pytest.mark.parametrize(
    ("location", "told"),
    [
        ("http://inner.example/", NOWHERE),
        ("http://169.254.169.254/latest/meta-data/", NOWHERE),
        ("file:///etc/passwd", ADDRESSES["file:///etc/passwd"]),
        ("http://pictures.example:22/", ADDRESSES["http://pictures.example:8080/"]),
        ("http://[::1", ADDRESSES["http://[::1/"]),
        ("http://[zz]/", ADDRESSES["http://[::1/"]),
        ("/loop", "The address leads on more than 3 times."),
    ],
)
def test_redirects_that_are_not_followed(
    net: Internet, fetcher: Fetcher, location: str, told: str
) -> None:
    """Where a redirect leads is checked as the first address was, and so is how often."""
    net.names |= {"inner.example": [["10.0.0.1"]], "169.254.169.254": [["169.254.169.254"]]}
    net.answers["/loop"] = [moved(location)]
    assert refusal(fetcher, "http://pictures.example/loop") == told
    assert {place for place, _port in net.connected} == {PUBLIC}


ANSWERS = {
    "announced": ([b"HTTP/1.1 200 OK\r\nContent-Length: 2001\r\n\r\n"], "larger than 2 kB"),
    "unannounced": ([b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 3000], "larger than 2 kB"),
    "chunked": ([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                 + b"3e8\r\n" + b"x" * 1000 + b"\r\n"] + [b"3e8\r\n" + b"x" * 1000 + b"\r\n"] * 2,
                "larger than 2 kB"),
    "chunk of less than 0": ([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nx"],
                             "cannot be reached, or is no web server"),
    "chunk of -1": ([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\nx"],
                    "cannot be reached, or is no web server"),
    "compressed": ([response(PICTURE, "Content-Encoding: gzip\r\n")], "picture compressed"),
    "not there": ([response(b"", status="404 Not Found")], "answers with status 404"),
    "broke off": ([b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\nx"], "broke off before its end"),
    "no http": ([b"SSH-2.0-OpenSSH_9.2p1\r\n"], "cannot be reached, or is no web server"),
    "closed": ([b""], "cannot be reached, or is no web server"),
    "no picture": ([response(b"<html>", "Content-Type: image/png\r\n")], "is not an image file"),
    "empty": ([response(b"")], r"is empty \(0 bytes\)"),
    "slow body": ([b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n", *[b"x"] * 20],
                  "did not come within"),
    "slow head": ([b"HTTP/1.1 200 OK\r\n", *[b"X: y\r\n"] * 20], "did not come within"),
}  # fmt: skip


@pytest.mark.parametrize(("pieces", "told"), ANSWERS.values(), ids=ANSWERS)
def test_what_a_host_answers_beside_a_picture(
    net: Internet, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch,
    pieces: list[bytes], told: str,
) -> None:  # fmt: skip
    """Too much, too slow, nothing or no picture is told as such, beside the field."""
    monkeypatch.setattr(fetched, "SECONDS", 0.4)
    net.answers["/x"] = pieces
    assert re.search(told, refusal(fetcher, "http://pictures.example/x"))


def test_a_chunk_of_no_size_is_not_read_to_its_end(
    net: Internet, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A chunk of the size -1 is read by Python to the end; the server hangs up long before."""
    monkeypatch.setattr(fetched, "_HEAD_ROOM", 100_000)
    sent: list[int] = []

    def drip() -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n"
        for _time in range(64):
            yield bytes(1_000_000)
            sent.append(1_000_000)

    net.wait_s = 0
    net.answers["/endless"] = drip()
    told = "The picture is larger than 2 kB, the limit."
    assert refusal(fetcher, "http://pictures.example/endless") == told
    assert len(sent) < 16


def test_a_look_up_that_takes_too_long(
    net: Internet, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time for a picture includes the look-up of its host."""
    monkeypatch.setattr(fetched, "SECONDS", 0.0)
    assert "did not come within" in refusal(fetcher, "http://pictures.example/red.png")
    assert net.connected == []


def test_the_room_for_slow_hosts_is_bounded(net: Internet, fetcher: Fetcher) -> None:
    """While as many pictures come as may, one more is sent away, and its turn comes later."""
    inner: list[Overloaded] = []

    def another(_connection: Any) -> Any:
        with pytest.raises(Overloaded, match="Too many pictures") as caught:
            fetcher.filled(asked("http://pictures.example/red.png"))
        inner.append(caught.value)
        net.wrap = lambda connection: connection
        return _connection

    net.wrap = another
    for _time in range(2):
        fetcher.filled(asked("http://pictures.example/red.png"))
    assert [error.retry_after for error in inner] == [5]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of pictures.example, and its key beside it."""
    file = tmp_path_factory.mktemp("tls") / "certificate.pem"
    subprocess.run(  # noqa: S603  the arguments are written here
        [program("openssl", "openssl"), "req", "-x509", "-newkey", "ec", "-nodes", "-pkeyopt",
         "ec_paramgen_curve:prime256v1", "-subj", "/CN=pictures.example", "-addext",
         "subjectAltName=DNS:pictures.example", "-keyout", file.with_suffix(".key"), "-out", file],
        check=True, capture_output=True,
    )  # fmt: skip
    return file


@pytest.mark.parametrize("host", ["pictures.example", "other.example"])
@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
def test_https_checks_the_certificate(
    net: Internet, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch, certificate: Path,
    host: str, known: bool,
) -> None:  # fmt: skip
    """A picture comes by https only where the certificate is trusted, and is this host's."""
    ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ours.load_cert_chain(certificate, certificate.with_suffix(".key"))
    names: list[str | None] = []
    ours.sni_callback = lambda _socket, name, _context: names.append(name)
    net.wrap = lambda connection: ours.wrap_socket(connection, server_side=True)
    net.names["other.example"] = [[PUBLIC]]
    if known:
        trusting = ssl.create_default_context(cafile=str(certificate))
        monkeypatch.setattr(fetched, "_tls", lambda: trusting)
    address = f"https://{host}/red.png"
    if known and host == "pictures.example":
        assert fetcher.filled(asked(address)).files["image"][0].body == PICTURE
    else:
        assert refusal(fetcher, address) == "The host has no valid certificate for https."
    assert net.connected == [(PUBLIC, 443)]
    assert names == [host]


@pytest.fixture
def client(tmp_path: Path, request: pytest.FixtureRequest) -> Client:
    """A client of the colours, which take addresses if the test's parameter says so."""
    folder = write_colours(tmp_path / "app")
    toml = folder / "podium.toml"
    toml.write_text(toml.read_text().replace("[image]", f"[image]\nurl = {request.param}"))
    state = StateFolder(tmp_path / "state")
    return Client(create_wsgi(App(folder), state, threads=4))


@pytest.mark.parametrize("client", ["true"], indirect=True)
def test_programs_and_pages_give_addresses(net: Internet, client: Client) -> None:
    """/predict and the page answer for the picture at an address; all models get it at once."""
    sent = {"image_url": "http://pictures.example/red.png"}
    file = client.post("/predict", data={"image": (BytesIO(PICTURE), "red.png")})
    assert client.post("/predict", data=sent).json == file.json
    assert file.status_code == 200
    page = client.post("/", data=sent | {"model": "*"}, headers={"Accept": "text/html"})
    assert page.status_code == 200
    assert 'value="http://pictures.example/red.png"' in page.text
    assert len(net.connected) == 2
    operation = client.get("/openapi.json").json["paths"]["/predict"]["post"]  # type: ignore[index]
    content = operation["requestBody"]["content"]
    described = content["multipart/form-data"]["schema"]
    assert described == content["application/x-www-form-urlencoded"]["schema"]
    assert described["properties"]["image_url"] == {"type": "string", "format": "uri"}
    assert described["oneOf"] == [{"required": ["image"]}, {"required": ["image_url"]}]


@pytest.mark.parametrize("client", ["true"], indirect=True)
def test_a_wrong_address_is_told_beside_its_field(net: Internet, client: Client) -> None:
    """A private address is a mistake in image_url, to programs and on the page."""
    net.names["inner.example"] = [["10.0.0.1"]]
    sent = {"image_url": "http://inner.example/"}
    answer = client.post("/predict", data=sent)
    assert answer.status_code == 422
    assert answer.json is not None
    assert answer.json["errors"] == [{"field": "image_url", "message": NOWHERE}]
    page = client.post("/", data=sent, headers={"Accept": "text/html"})
    assert page.status_code == 422
    assert re.search(rf'<p id="image_url-note" class="error">\s*{NOWHERE}', page.text)


@pytest.mark.parametrize("client", ["false"], indirect=True)
def test_addresses_are_refused_unless_the_maker_allows_them(net: Internet, client: Client) -> None:
    """Without the key, nothing is fetched, and the page has no field for it."""
    answer = client.post("/predict", data={"image_url": "http://pictures.example/red.png"})
    assert answer.status_code == 422
    assert answer.json is not None
    assert answer.json["errors"] == [
        {"field": "image_url",
         "message": "is not fetched: podium.toml does not allow it ([image] url). "
                    "Send the file: -F image=@photo.jpg"},
    ]  # fmt: skip
    assert 'name="image_url"' not in client.get("/", headers={"Accept": "text/html"}).text
    assert net.looked_up == []
