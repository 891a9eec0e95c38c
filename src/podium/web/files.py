"""Which files of the folder the page may show; no other is ever sent."""

from __future__ import annotations

import re
from collections.abc import Iterator
from mimetypes import add_type
from pathlib import PurePosixPath
from typing import Final

from podium.app import App
from podium.calibrated import calibration_file
from podium.folder import inside
from podium.spec import ModelSpec, Spec
from podium.web.markdown import render, targets

PICTURES: Final = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".avif")
_ELSEWHERE: Final = re.compile(r"/|[A-Za-z][A-Za-z0-9+.-]*:")
"""How a link begins that leads to no file beside the introduction."""

for _ending in ("woff2", "woff", "ttf", "otf"):  # Python 3.11 knows none of them
    add_type(f"font/{_ending}", f".{_ending}")


class Offer:
    """The introduction as HTML, the names of the files that may be sent, the models with a card.

    A model has one when its card or its calibration is there.
    """

    def __init__(self, app: App, prefix: str = "files/") -> None:
        self._folder = app.folder
        self._about = app.spec.about
        self.files = frozenset(filter(self._is_there, _named(app.spec)))
        self.carded = tuple(
            spec
            for spec in app.spec.models
            if spec.card or calibration_file(app.folder, spec).is_file()
        )
        self.about = ""
        if app.spec.about:
            self.about, pictures = render(app.folder / app.spec.about, self._leads, prefix)
            self.files |= pictures

    def card_of(self, model: ModelSpec) -> str:
        """Return a model's card as HTML, its title the page's; "" without one."""
        if not model.card:
            return ""
        return render(self._folder / model.card, lambda _: False, "", top=1)[0]

    def _leads(self, target: str) -> bool:
        """Whether a link in the introduction leads to a file that may be sent."""
        is_picture = target.lower().endswith(PICTURES)
        return target in self.files or (is_picture and self._is_there(target))

    def notes(self) -> Iterator[str]:
        """Yield what of the introduction does not work on the page, for its maker."""
        for target, shown in targets(self._folder / self._about) if self._about else ():
            path = target.partition("#")[0].partition("?")[0]
            if shown and "//" in target:
                trouble = "is on another site, from which the page shows nothing; copy it here"
            elif _ELSEWHERE.match(target) or self._leads(target):
                continue
            elif self._is_there(path):
                trouble = (
                    "is a file that is not offered; name it in [[references]], or as a "
                    f"picture of one of the kinds {', '.join(PICTURES)}"
                )
            elif shown or PurePosixPath(path).suffix:
                trouble = "is not there"
            else:
                continue
            yield f"{self._about}: {target!r} {trouble}"

    def _is_there(self, name: str) -> bool:
        path = inside(self._folder, name)
        return path is not None and path.is_file()


def _named(spec: Spec) -> set[str]:
    names = [reference.file for reference in spec.references]
    names += [example.image for example in spec.examples]
    names += [spec.theme.logo, spec.theme.logo_dark, spec.theme.font_file]
    return {name for name in names if name}
