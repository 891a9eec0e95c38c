"""Photos to the five likeliest classes."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnxruntime as ort
from flask import Flask, Response, jsonify, request
from PIL import Image

folder = Path(os.environ["APPLICATION"])
labels = (folder / "labels.txt").read_text().split("\n")
options = ort.SessionOptions()
options.intra_op_num_threads = 1
session = ort.InferenceSession(folder / "model.onnx", options)
app = Flask(__name__)


@app.post("/predict")
def predict() -> Response:
    """Return the photo's five likeliest classes."""
    image = Image.open(request.files["image"].stream).convert("RGB")
    image = image.resize((224, 224), Image.Resampling.BILINEAR)
    pixels = (np.asarray(image, np.float32) / 255 - 0.5) / 0.5
    batch = np.ascontiguousarray(pixels.transpose(2, 0, 1)[None])
    (logits,) = session.run(None, {"image": batch})[0]
    exponents = np.exp(logits - logits.max())
    probabilities = exponents / exponents.sum()
    best = probabilities.argsort()[::-1][:5]
    answer = {
        "label": labels[best[0]],
        "probability": float(probabilities[best[0]]),
        "probabilities": {labels[index]: float(probabilities[index]) for index in best},
    }
    return jsonify(predictions=[answer])
