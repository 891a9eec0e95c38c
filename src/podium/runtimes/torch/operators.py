"""The operators that a program may call: those that compute with arrays and sizes, and no more."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Mapping
from typing import Any, Final

from podium.errors import ModelError, UntrustedModel

Json = Mapping[str, Any]
"""A table of the program's JSON, of the form in torch/_export/serde/schema.py."""

INTERNAL: Final = {
    "__and__", "__lshift__", "__or__", "__rshift__", "__xor__", "_adaptive_avg_pool2d",
    "_adaptive_avg_pool3d", "_assert_async", "_assert_scalar", "_assert_tensor_metadata",
    "_cdist_forward", "_conj", "_conj_physical", "_convolution", "_embedding_bag",
    "_embedding_bag_forward_only", "_fft_c2c", "_fft_c2r", "_fft_r2c", "_fused_rms_norm",
    "_is_all_true", "_is_any_true", "_linalg_det", "_linalg_eigh", "_linalg_slogdet",
    "_linalg_solve_ex", "_linalg_svd", "_local_scalar_dense", "_log_softmax",
    "_native_batch_norm_legit", "_native_batch_norm_legit_no_training", "_pdist_forward",
    "_prelu_kernel", "_safe_softmax", "_scaled_dot_product_flash_attention_for_cpu",
    "_shape_as_tensor", "_softmax", "_stack", "_to_copy", "_trilinear", "_unique2",
    "_unsafe_index", "_unsafe_masked_index", "_unsafe_view", "_upsample_bicubic2d_aa",
    "_upsample_bilinear2d_aa", "_upsample_nearest_exact1d", "_upsample_nearest_exact2d",
    "_upsample_nearest_exact3d", "_weight_norm", "_weight_norm_interface",
}  # fmt: skip
"""Operators with an internal name that stand in the programs of ordinary models."""

_OPERATOR: Final = re.compile(r"torch\.ops\.aten\.(\w+)\.(\w+)")
_TEXTS: Final = {
    "UPLO", "api_name", "approximate", "assert_msg", "driver", "equation", "indexing",
    "interpolation", "mode", "norm", "ord", "p", "pad_mode", "padding", "padding_side",
    "reduce", "rounding_mode", "side",
}  # fmt: skip
"""Arguments that take a text; any other text could be the name of a file."""

_ON_SIZES: Final = {
    "_operator": {
        "add", "and_", "eq", "floordiv", "ge", "gt", "le", "lt", "mod", "mul", "ne", "neg", "or_",
        "pos", "sub", "truediv",
    },
    "math": {"ceil", "floor", "trunc"},
    "torch": {
        "sym_float", "sym_int", "sym_ite", "sym_max", "sym_min", "sym_not", "sym_sqrt",
    },
}  # fmt: skip
"""Functions that compute with sizes, by their module."""


def operator_of(target: str) -> Any:
    """Return what a node calls.

    Raises:
        UntrustedModel: it is none that only computes with arrays and sizes.
        ModelError: the installed PyTorch does not have it.
    """
    import torch

    module, _, name = target.rpartition(".")
    if name in _ON_SIZES.get(module, ()):
        return getattr({"_operator": operator, "math": math, "torch": torch}[module], name)
    match = _OPERATOR.fullmatch(target)
    if match is None or (match[1].startswith("_") and match[1] not in INTERNAL):
        raise UntrustedModel(
            f"it calls {target[:100]!r}, which is none of the operators on arrays (torch.ops.aten) "
            "that models are made of. Export the model without it, or save its weights and give "
            'factory = "module:function", which builds the module'
        )
    found = getattr(getattr(torch.ops.aten, match[1], None), match[2], None)
    # The functions of TorchScript, such as save, are found here too, but have no kernel.
    if not isinstance(found, torch._ops.OpOverload) or not torch._C._dispatch_has_kernel(
        found.name()
    ):
        raise ModelError(f"it calls {target[:100]!r}, which the installed PyTorch does not have")
    return found


def check_arguments(target: str, schema: Any, given: Json, random: bool) -> None:
    """Check the arguments of an operator, by their names.

    With `random` it may draw as in training, if it does not also compute statistics of the batch.

    Raises:
        UntrustedModel: one could be the name of a file.
        ModelError: the operator does not take one, or computes as in training.
    """
    known = {argument.name for argument in schema.arguments}
    strange = [name for name in given if name not in known]
    if strange:
        raise ModelError(f"it gives {target!r} a {strange[0]!r}, which it does not take")
    texts = [name for name, value in given.items() if "as_string" in value and name not in _TEXTS]
    if texts:
        raise UntrustedModel(f"it calls {target!r} with a text as {texts[0]!r}; it could be a file")
    training = any(given.get(name) == {"as_bool": True} for name in ("train", "training"))
    norm = "eps" in known
    # A norm that keeps no statistics takes those of the batch at all times.
    alone = norm and "as_tensor" not in given.get("running_mean", {})
    if training and random and norm and not alone:
        raise ModelError(
            "its batch-norm was exported in training mode, where answers hang on other rows. Call "
            "eval() on those layers, behind model.train(), before torch.export.export"
        )
    if training and not random and not alone:
        raise ModelError(
            "it was exported in training mode, where answers hang on chance and on other rows. "
            "Call model.eval() before torch.export.export; or, to serve it with its dropout on, "
            "write samples = 100 into its [[models]] table"
        )
