"""Weights alone go into the module that the maker's factory builds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from podium.errors import ModelError
from podium.runtimes.base import Source
from podium.runtimes.torch.file import EXPORT, reason
from podium.usercode import load_object, told

_WRAPPED: Final = ("state_dict", "model_state_dict", "model")
"""Under what a checkpoint of a training keeps its weights."""

_SHOWN: Final = 3
"""How many keys a message names."""


def build_module(source: Source, content: Any) -> Any:
    """Return the module that `source.code` builds, with the weights of a state dict in it.

    `content` is a state dict, or a checkpoint that holds one.

    Raises:
        ModelError: there is no factory, it fails, or the weights do not fit its module.
    """
    import torch

    state = _state_dict(source, content)
    if source.code is None:
        raise ModelError(
            f"{source.file.name} holds weights alone ({_listed(list(state))}), without the module "
            "that they belong to. Write a function that returns it into a file beside podium.toml, "
            f'and name it in its [[models]] table: factory = "nets:build". {EXPORT}'
        )
    try:
        module = load_object(source.root, source.code)()
    except Exception as err:  # whatever the maker's code raises
        why = told(err, source.root)
        raise ModelError(f"factory = {source.code!r} cannot be used: {why}") from err
    if not isinstance(module, torch.nn.Module):
        raise ModelError(
            f"factory = {source.code!r} returned a {type(module).__name__}; expected the "
            f"torch.nn.Module that the weights in {source.file.name} belong to"
        )
    _fill(source, module, state)
    return module


def _state_dict(source: Source, content: Any) -> dict[str, Any]:
    import torch

    while isinstance(content, Mapping):
        inner = [content[key] for key in _WRAPPED if isinstance(content.get(key), Mapping)]
        if not inner:
            break
        content = inner[0]
    if not isinstance(content, Mapping):
        raise ModelError(
            f"{source.file.name} holds a {type(content).__name__} and no state dict: "
            'torch.save(model.state_dict(), "weights.pt")'
        )
    state = {str(key): value for key, value in content.items() if torch.is_tensor(value)}
    if not state:
        raise ModelError(
            f"{source.file.name} holds no weights but {_listed(list(map(str, content)))}. A "
            f"checkpoint keeps them under one of: {', '.join(_WRAPPED)}"
        )
    return state


def _fill(source: Source, module: Any, state: dict[str, Any]) -> None:
    own = module.state_dict()
    state = _without_wrapper(state, own)
    wrong = [
        f"{key} is {list(value.shape)} in the file and {list(own[key].shape)} in the module"
        for key, value in state.items()
        if key in own and value.shape != own[key].shape
    ][:_SHOWN]
    missing = [key for key in own if key not in state]
    if not wrong:
        try:
            missing = module.load_state_dict(state, strict=False).missing_keys
        except RuntimeError as err:
            raise ModelError(f"{source.file.name} does not fit: {reason(err)}") from err
    # Tensors that a module shares are saved under one of their names.
    shared = {own[key].data_ptr() for key in state if key in own}
    missing = [key for key in missing if own[key].data_ptr() not in shared]
    unknown = [key for key in state if key not in own]
    wrong += [f"missing: {_listed(missing)}"] if missing else []
    wrong += [f"not in the module: {_listed(unknown)}"] if unknown else []
    if wrong:
        raise ModelError(
            f"The weights in {source.file.name} do not fit the module of factory = "
            f"{source.code!r}. {'; '.join(wrong)}"
        )


def _without_wrapper(state: dict[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Return weights by the names that they have within what a training wrapped around the module.

    DataParallel calls it "module.", torch.compile "_orig_mod.", a LightningModule what it likes.
    """
    inner = state
    while not any(key in own for key in inner):
        tops = {key.partition(".")[0] for key in inner}
        if len(tops) != 1 or tops & set(inner):  # there is no wrapper, or nothing within it
            return state
        inner = {key.partition(".")[2]: value for key, value in inner.items()}
    return inner


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
