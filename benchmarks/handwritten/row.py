"""Rows of features to a class."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnxruntime as ort
from flask import Flask, Response, jsonify, request

folder = Path(os.environ["APPLICATION"])
labels = (folder / "labels.txt").read_text().split("\n")
names = ["x0", "x1", "x2", "x3", "x4"]
options = ort.SessionOptions()
options.intra_op_num_threads = 1
session = ort.InferenceSession(folder / "model.onnx", options)
app = Flask(__name__)


@app.post("/predict")
def predict() -> Response:
    """Return each row's class and the probability of every class."""
    rows = request.get_json()["inputs"]
    batch = np.array([[row[name] for name in names] for row in rows], np.float32)
    _, probabilities = session.run(None, {"X": batch})
    answers = [
        {
            "label": labels[int(row.argmax())],
            "probability": float(row.max()),
            "probabilities": dict(zip(labels, row.tolist(), strict=True)),
        }
        for row in probabilities
    ]
    return jsonify(predictions=answers)
