"""Shades of a maker's colour that can be read on the page, in light and in dark.

Contrast is that of WCAG 2.2, https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio; a shade keeps the
hue in Oklab, https://bottosson.github.io/posts/oklab/.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

GROUNDS: Final = {"light": ("#f6f7f9", "#ffffff"), "dark": ("#12161b", "#1a2027")}
"""What text stands on in each scheme: --ground and --panel of page.css."""
READABLE: Final = 4.5
"""WCAG 2.2, success criterion 1.4.3 (AA): the least contrast of text."""
ENHANCED: Final = 7.0
"""WCAG 2.2, success criterion 1.4.6 (AAA), for those who ask for more contrast."""
AIM: Final = {"light": READABLE, "dark": 6.0}
"""What a derived shade has: at 4.5, links on dark would be fainter than the help beside them."""
SEEN: Final = 3.0
"""WCAG 2.2, success criterion 1.4.11: the least contrast of what is no text."""
_NEARLY_BLACK: Final = 0.3
"""The lightness below which a colour is hardly told from black."""
_FINE: Final = 1e-3
"""How finely a shade's lightness is looked for; a step of eight bits is 4e-3."""

Triple = tuple[float, float, float]


class Shades(NamedTuple):
    """How one colour is used in one scheme, each as #rrggbb.

    `accent` is the ground of buttons, `hover` that under the pointer, `on_accent` their text and
    `edge` their border; `mark` is that of links, bars and focus, `strong` the same with more
    contrast.
    """

    accent: str
    hover: str
    on_accent: str
    edge: str
    mark: str
    strong: str


@lru_cache(maxsize=8)
def shades_of(colour: str, scheme: str) -> Shades:
    """Return the shades of a colour in a scheme, "light" or "dark"."""
    on_accent, away = max(("#ffffff", "#000000"), ("#000000", "#ffffff"),
                          key=lambda pair: contrast(pair[0], colour))  # fmt: skip
    mark = colour
    if worst_contrast(colour, scheme) < READABLE:
        mark = nearest_shade(colour, scheme, AIM[scheme])
    edge = colour if worst_contrast(colour, scheme) >= SEEN else mark
    strong = nearest_shade(colour, scheme, ENHANCED)
    return Shades(colour, mixed(colour, away, 0.12), on_accent, edge, mark, strong)


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours, 1 to 21."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def worst_contrast(colour: str, scheme: str) -> float:
    """Return a colour's least contrast with what it stands on in a scheme."""
    return min(contrast(colour, ground) for ground in GROUNDS[scheme])


def nearest_shade(colour: str, scheme: str, ratio: float) -> str:
    """Return a colour as it is where it has the contrast, else its nearest lightness that has."""
    if worst_contrast(colour, scheme) >= ratio:
        return colour
    passing, failing = (0.0 if scheme == "light" else 1.0), _oklab(colour)[0]
    while abs(passing - failing) > _FINE:
        middle = (passing + failing) / 2
        if worst_contrast(_at(colour, middle), scheme) >= ratio:
            passing = middle
        else:
            failing = middle
    return _at(colour, passing)


def on_dark(colour: str) -> str:
    """Return what a colour for light screens is on dark ones: its nearest lightness that is seen.

    What is nearly black would be a grey there, as of a button that cannot be pressed. It becomes as
    light as it was dark, and more colourful with it.
    """
    lightness, a, b = _oklab(colour)
    if lightness >= _NEARLY_BLACK:
        return nearest_shade(colour, "dark", SEEN)
    return _shown_at(1 - lightness, 2 * a, 2 * b)


def mixed(one: str, other: str, part: float) -> str:
    """Return a colour with a part of another in it, 0 to 1, as color-mix in oklab does."""
    pairs = zip(_oklab(one), _oklab(other), strict=True)
    l, a, b = (x + part * (y - x) for x, y in pairs)  # noqa: E741  its name in Oklab
    return _hex(_linear((l, a, b)))


def _at(colour: str, lightness: float) -> str:
    """Return a colour at another lightness, as colourful as a screen can show it there."""
    return _shown_at(lightness, *_oklab(colour)[1:])


def _shown_at(lightness: float, a: float, b: float) -> str:
    inside, outside = 0.0, 1.0
    if _shown(_linear((lightness, a, b))):
        inside = 1.0
    while outside - inside > _FINE:
        middle = (inside + outside) / 2
        if _shown(_linear((lightness, middle * a, middle * b))):
            inside = middle
        else:
            outside = middle
    return _hex(_linear((lightness, inside * a, inside * b)))


def _shown(linear: Triple) -> bool:
    return all(-_FINE <= one <= 1 + _FINE for one in linear)


def _luminance(colour: str) -> float:
    """Return the relative luminance, 0 to 1."""
    red, green, blue = _linear_of(colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear_of(colour: str) -> Triple:
    """Return the linear sRGB of #rrggbb."""
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return _decoded(red), _decoded(green), _decoded(blue)


def _decoded(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)


def _hex(linear: Triple) -> str:
    return "#" + "".join(f"{round(255 * _encoded(min(1, max(0, one)))):02x}" for one in linear)


def _encoded(value: float) -> float:
    return 12.92 * value if value <= 0.0031308 else float(1.055 * value ** (1 / 2.4) - 0.055)


def _oklab(colour: str) -> Triple:
    r, g, b = _linear_of(colour)
    long = (0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b) ** (1 / 3)
    medium = (0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b) ** (1 / 3)
    short = (0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b) ** (1 / 3)
    return (
        0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short,
    )


def _linear(oklab: Triple) -> Triple:
    lightness, a, b = oklab
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )
