"""Pickles, also as joblib writes them: programs, loaded only when the maker vouches for them."""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Iterable
from typing import Any, Final

from podium.errors import ModelError, UntrustedModel
from podium.runtimes.base import Source
from podium.runtimes.trust import require_trust
from podium.runtimes.versions import mismatch
from podium.usercode import let_import

_RISK: Final = "is a pickle, which runs code when it is loaded"
_REMEDY: Final = 'Save the model as data: skops.io.dump(model, "model.skops").'


def check_trust(source: Source) -> None:
    """Raise UntrustedModel if nobody vouches for a pickle."""
    require_trust(source, [source.file], _RISK, _REMEDY)


def load_pickle(source: Source) -> tuple[Any, tuple[str, ...]]:
    """Return what a pickle holds, and notes on its version; the maker's modules may be in it.

    Raises:
        UntrustedModel: nobody vouches for these very bytes; nothing of them was run.
        ModelError: it cannot be loaded.
    """
    import joblib

    name = source.file.name
    check_trust(source)
    data = source.file.read_bytes()
    # What is run are the bytes that were hashed, not what a name stands for a moment later.
    if hashlib.sha256(data).hexdigest() != source.trust:
        raise UntrustedModel(f"{name} changed while it was loaded. Try again.")
    let_import(source.root)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            model = joblib.load(io.BytesIO(data))
        except Exception as err:  # whatever the program in the file raises
            notes = " ".join(_notes(name, caught))
            raise ModelError(f"{name} cannot be loaded: {_told(err)} {notes}".rstrip()) from err
    return model, _notes(name, caught)


def _told(err: Exception) -> str:
    if isinstance(err, ModuleNotFoundError):
        return (
            f"it needs the module {err.name!r}. Install the package, or put the module beside "
            "podium.toml."
        )
    if isinstance(err, AttributeError) and "__main__" in str(err):
        return (
            f"{err}. Put that code into a module beside podium.toml, import it from there where "
            "the model is trained, and save the model again."
        )
    return f"{type(err).__name__}: {err}"


def _notes(name: str, caught: Iterable[warnings.WarningMessage]) -> tuple[str, ...]:
    told = (one.message for one in caught if issubclass(one.category, UserWarning))
    return tuple(dict.fromkeys(filter(None, (_note(name, message) for message in told))))


def _note(name: str, message: Warning | str) -> str:
    saved = getattr(message, "original_sklearn_version", None)
    if saved is not None:
        return mismatch(name, saved, "scikit-learn")
    return f"{name}: {str(message).strip().partition(chr(10))[0]}"
