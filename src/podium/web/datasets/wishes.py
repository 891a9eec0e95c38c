"""What the query or the form of a data set asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from podium.cells import FALSE, TRUE, printable
from podium.datasets.wishes import Wishes
from podium.errors import FieldError, InvalidInput, UnknownModel, nearest
from podium.messages import after, said
from podium.options import Options
from podium.web.page.form import ALL_MODELS

WISHES: Final = ("models", "confidence_level", "seed")
OF_THE_FILE: Final = ("target", "start", "name")
"""What can be said with the file alone, not when it is started later."""
ALL: Final = "all"


class Asked(NamedTuple):
    """The wishes, what of them was named, whether to start at once, and the file's name if given.

    A wish that was sent empty, as forms do, was named and is the default.
    """

    wishes: Wishes
    named: frozenset[str]
    start: bool
    name: str | None

    def over(self, before: Wishes) -> Wishes:
        """Return earlier wishes with those that were named now in their place."""
        fields = Wishes.__struct_fields__
        return Wishes(
            **{name: getattr(self.wishes if name in self.named else before, name)
               for name in fields}
        )  # fmt: skip


def read_wishes(
    texts: Mapping[str, Sequence[str]], models: Sequence[str], known: Sequence[str]
) -> Asked:
    """Return what is asked for; `models` are the names there are, "*" or "all" means all of them.

    `known` are the names of what can be asked for.

    Raises:
        InvalidInput: naming every part that is unknown or wrong.
        UnknownModel: the name of a model is all that is wrong.
    """
    errors = [_unknown(name, known) for name in texts if name not in known]
    errors += [FieldError(name, said("is given %(count)d times; expected once", count=len(given)))
               for name, given in texts.items()
               if name in known and name != "models" and len(given) > 1]  # fmt: skip
    one = {name: given[0].strip() for name, given in texts.items() if given}
    options = Options()
    try:
        options = Options.parse(
            {name: one[name] for name in ("seed", "confidence_level") if one.get(name)}, models
        )
    except InvalidInput as err:
        errors += err.errors
    start = one.get("start") or TRUE[0]
    if start.lower() not in TRUE + FALSE:
        told = said("expected true or false; found %(found)s", found=repr(printable(start)))
        errors.append(FieldError("start", told))
    chosen = _chosen(texts.get("models", ()), models)
    unknown = [UnknownModel(name, models) for name in chosen if name not in models]
    if errors:
        raise InvalidInput([*errors, *(error for one in unknown for error in one.errors)])
    if unknown:
        raise unknown[0]
    wishes = Wishes(
        models=chosen,
        seed=options.seed or 0,
        confidence_level=options.confidence_level,
        target=one.get("target") or None,
    )
    return Asked(wishes, frozenset(one), start.lower() in TRUE, one.get("name") or None)


def _chosen(texts: Sequence[str], models: Sequence[str]) -> tuple[str, ...]:
    names = [name.strip() for text in texts for name in text.split(",")]
    for name in names:
        if name == ALL_MODELS or (name == ALL and ALL not in models):
            return tuple(models)
    return tuple(dict.fromkeys(name for name in names if name))


def _unknown(name: str, known: Sequence[str]) -> FieldError:
    hint = nearest(name, known) or after(said("Known: %(names)s.", names=", ".join(known)))
    return FieldError(printable(name), said("is not a parameter of data sets.%(hint)s", hint=hint))
