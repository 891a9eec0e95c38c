"""What schemathesis sends where JSON Schema cannot say what belongs there: files.

schemathesis loads this module as its hooks.
"""

from __future__ import annotations

import base64
import io
import zipfile
from typing import Any, Final

import schemathesis
from hypothesis import strategies as st

from tests.support.pictures import BLUE, GREEN, RED, encoded, plain, png

PICTURES: Final = {
    "image/png": [png(RED), png(BLUE)],
    "image/jpeg": [encoded(plain(GREEN), "JPEG")],
    "image/webp": [encoded(plain(RED), "WEBP")],
}


def _archive() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("red.png", png(RED))
    return made.getvalue()


FILES: Final = {
    "text/csv": [b"bill_length_mm,island\r\n47.5,Biscoe\r\n", b"text\r\nhello\r\n", b"a\n"],
    "text/tab-separated-values": [b"length\tcount\twet\tmaterial\r\n2.5\t3\tyes\tpine\r\n"],
    "application/vnd.apache.parquet": [b"PAR1 of which the rest is missing PAR1"],
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": [b"PK\x03\x04"],
    "application/zip": [_archive()],
    "application/octet-stream": [b"\0", b"text\nhello\n"],
}
"""By their types; a file that cannot be read is taken, too: the data set fails, not the request."""

for kind, bodies in (PICTURES | FILES).items():
    schemathesis.openapi.media_type(kind, st.sampled_from(bodies))
schemathesis.openapi.media_type("image/*", st.sampled_from(PICTURES["image/png"]))
schemathesis.openapi.format(
    "picture", st.sampled_from([base64.b64encode(one).decode() for one in PICTURES["image/png"]])
)


@schemathesis.hook
def before_load_schema(_context: object, raw_schema: dict[str, Any]) -> None:
    """Have pictures sent in JSON where the description says that a text is one."""
    item = raw_schema["components"]["schemas"].get("Item", {"properties": {}})
    for value in item["properties"].values():
        if value.get("contentMediaType") == "image/*":
            value["format"] = "picture"
