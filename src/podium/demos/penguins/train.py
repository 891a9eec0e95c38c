"""Train the four models of the penguin demo, write their files, and the figures on their cards.

    pip install numpy==2.4.6 torch==2.13.0 onnx==1.23.2 onnxscript==0.7.2 \
        onnxruntime==1.32.0 scikit-learn==1.9.1 scipy==1.17.1 skops==0.16.0
    python train.py

Reads podium.toml (features, choices, labels) and data/penguins.csv. 30% of the birds, stratified
by species, are held out and written to data/held_out.csv; no model sees them. The others, on which
the models are trained, go to data/train.csv, and the settings rest on them: those of the forest and
naive Bayes on cross-validation, the network's prior on the variational bound. The tree is kept
small so that it can be read, and the network has tanh units because with ReLU (a better bound) it
is sure of birds that cannot exist. Every figure is measured on the file as written, loaded again.
Python 3.11 or newer.
"""

import csv
import math
import re
import tomllib
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import skops.io
import torch
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import KNNImputer
from sklearn.model_selection import train_test_split
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier
from torch import Tensor, nn

HERE = Path(__file__).parent
SEED = 2014
HELD_OUT_SHARE = 0.3
STEPS = 4000
COPIES = 8  # noise draws of each bird in one training step
HIDDEN_UNITS = 16
PASSES = 2000  # many more than are served, so that the noise does not flatter a figure
BINS = 10  # of the calibration error

# skops holds a tree's nodes as unsafe, since a forged file can name nodes that do not exist and
# scikit-learn follows them unchecked. The files loaded here were written a moment before.
TRUSTED = ["sklearn.tree._tree.Tree"]

# Columns of the matrix that every model takes, in podium.toml's order.
MEASURES = [0, 1, 2, 3]
ISLAND = 4
SEX = 5

SECTION = re.compile(r"(?<=## How well it does\n\n).*?(?=\n\n## )", re.DOTALL)

Matrix = NDArray[np.float32]
Labels = NDArray[np.str_]
Probabilities = NDArray[np.float64]
Predict = Callable[[Matrix], Probabilities]
Row = dict[str, str]
Spec = dict[str, Any]


@dataclass(frozen=True)
class Birds:
    """Birds as the models see them: inputs, shape (birds, features), and species, (birds,)."""

    inputs: Matrix
    species: Labels


@dataclass(frozen=True)
class Figures:
    """How well a model does on the birds that it has not seen; recall is one share a species."""

    accuracy: float
    log_loss: float
    brier: float
    calibration_error: float
    recall: dict[str, float]


# Data


def read_rows() -> list[Row]:
    """Return the birds that were measured; two of the 344 rows hold no measurement at all."""
    with (HERE / "data" / "penguins.csv").open(newline="") as file:
        return [row for row in csv.DictReader(file) if row["bill_length_mm"]]


def split_rows(rows: list[Row], target: str) -> tuple[list[Row], list[Row]]:
    """Return the training and the held-out rows, each with the same shares of the species."""
    species = [row[target] for row in rows]
    training, held_out = train_test_split(
        rows, test_size=HELD_OUT_SHARE, stratify=species, random_state=SEED
    )
    return training, held_out


def write_rows(rows: list[Row], name: str) -> None:
    """Write down which rows the models have seen, or have not, to a file of data/."""
    with (HERE / "data" / name).open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def encode_cell(cell: str, feature: Spec) -> float:
    """Return a number as it is, a category as its index in `choices`, an empty cell as NaN."""
    if not cell:
        return math.nan
    if feature["kind"] == "category":
        return float(feature["choices"].index(cell))
    return float(cell)


def encode_rows(rows: list[Row], spec: Spec) -> Birds:
    """Return the rows as Podium hands them to a model, columns in the order of podium.toml."""
    features = spec["features"]
    cells = [[encode_cell(row[feature["name"]], feature) for feature in features] for row in rows]
    species = [row[spec["task"]["target"]] for row in rows]
    return Birds(np.array(cells, dtype=np.float32), np.array(species))


# The models of scikit-learn


def one_hot(*sizes: int) -> OneHotEncoder:
    """Return an encoder of categories with these numbers of choices; a missing one is all 0."""
    return OneHotEncoder(
        categories=[list(range(size)) for size in sizes],
        handle_unknown="ignore",
        sparse_output=False,
    )


def make_tree_pipeline(estimator: DecisionTreeClassifier | RandomForestClassifier) -> Pipeline:
    """Return a pipeline for trees, which need no scaling and take a missing value as it is."""
    columns = ColumnTransformer(
        [("as_is", "passthrough", [*MEASURES, SEX]), ("island", one_hot(3), [ISLAND])]
    )
    return Pipeline([("columns", columns), ("estimator", estimator)])


def make_bayes_pipeline(estimator: GaussianNB) -> Pipeline:
    """Return a pipeline for naive Bayes, which needs every value, all on one scale."""
    measures = Pipeline([("scale", StandardScaler()), ("impute", KNNImputer(n_neighbors=5))])
    columns = ColumnTransformer(
        [("measures", measures, MEASURES), ("categories", one_hot(3, 2), [ISLAND, SEX])]
    )
    return Pipeline([("columns", columns), ("estimator", estimator)])


def make_pipelines() -> dict[str, Pipeline]:
    """Return the models of scikit-learn, untrained, by name."""
    forest = RandomForestClassifier(n_estimators=100, random_state=SEED)
    tree = DecisionTreeClassifier(max_depth=3, min_samples_leaf=5, random_state=SEED)
    return {
        "forest": make_tree_pipeline(forest),
        "tree": make_tree_pipeline(tree),
        "bayes": make_bayes_pipeline(GaussianNB(var_smoothing=0.2)),
    }


def load_pipeline(path: Path) -> Predict:
    """Return the predict_proba of a skops file."""
    pipeline = skops.io.load(path, trusted=TRUSTED)

    def predict(inputs: Matrix) -> Probabilities:
        return np.asarray(pipeline.predict_proba(inputs), dtype=np.float64)

    return predict


# The Bayesian neural network


class BayesianLayer(nn.Module):
    """A linear layer with one normal distribution a weight, mean and log standard deviation."""

    def __init__(self, inputs: int, outputs: int) -> None:
        """Start at random means and narrow distributions, with one more input, always 1."""
        super().__init__()
        self.mean = nn.Parameter(torch.randn(inputs + 1, outputs) / math.sqrt(inputs + 1))
        self.log_std = nn.Parameter(torch.full((inputs + 1, outputs), -2.5))

    def forward(self, x: Tensor, eps: Tensor) -> Tensor:
        """Draw the activations, not the weights: each row of `eps` is a draw of its own."""
        x = torch.cat([x, torch.ones_like(x[:, :1])], dim=1)
        variance = x.square() @ self.log_std.exp().square()
        return x @ self.mean + eps * variance.sqrt()

    def divergence(self) -> Tensor:
        """Return the Kullback-Leibler divergence from a standard normal prior, in nats."""
        variance = (2 * self.log_std).exp()
        return 0.5 * (variance + self.mean.square() - 1 - 2 * self.log_std).sum()


class BayesianNetwork(nn.Module):
    """Raw features with NaN, (batch, 6), and noise, (batch, `noise`), to logits, (batch, 3)."""

    def __init__(self, center: Tensor, scale: Tensor) -> None:
        """Take the mean and standard deviation of each measurement, shape (measures,)."""
        super().__init__()
        self.register_buffer("center", center)
        self.register_buffer("scale", scale)
        self.register_buffer("islands", torch.arange(3.0))
        self.register_buffer("sexes", torch.arange(2.0))
        self.hidden = BayesianLayer(len(MEASURES) + 3 + 2, HIDDEN_UNITS)
        self.output = BayesianLayer(HIDDEN_UNITS, 3)
        self.noise = HIDDEN_UNITS + 3

    def encode(self, x: Tensor) -> Tensor:
        """Standardise the measurements and spread the categories, whatever is missing as 0."""
        scaled = (x[:, :ISLAND] - self.get_buffer("center")) / self.get_buffer("scale")
        measures = torch.where(torch.isnan(scaled), torch.zeros_like(scaled), scaled)
        island = (x[:, ISLAND:SEX] == self.get_buffer("islands")).float()
        sex = (x[:, SEX:] == self.get_buffer("sexes")).float()
        return torch.cat([measures, island, sex], dim=1)

    def forward(self, x: Tensor, eps: Tensor) -> Tensor:
        """Return the logits of one draw a row; zeros in `eps` give the mean network's."""
        hidden = torch.tanh(self.hidden(self.encode(x), eps[:, :HIDDEN_UNITS]))
        logits: Tensor = self.output(hidden, eps[:, HIDDEN_UNITS:])
        return logits

    def divergence(self) -> Tensor:
        """Return the divergence of all weights from their prior, in nats."""
        return self.hidden.divergence() + self.output.divergence()


def train_network(birds: Birds, labels: list[str]) -> BayesianNetwork:
    """Return the network with the highest evidence lower bound that Adam finds."""
    torch.manual_seed(SEED)
    torch.set_num_threads(1)  # sums in one order, so that a run can be repeated
    x = torch.from_numpy(birds.inputs)
    y = torch.tensor([labels.index(name) for name in birds.species])
    measures = x[:, :ISLAND]
    network = BayesianNetwork(measures.mean(dim=0), measures.std(dim=0))
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    x, y = x.repeat(COPIES, 1), y.repeat(COPIES)
    for _ in range(STEPS):
        logits = network(x, torch.randn(len(x), network.noise))
        loss = nn.functional.cross_entropy(logits, y) + network.divergence() / len(birds.species)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        schedule.step()
    return network.eval()


def export_network(network: BayesianNetwork, path: Path) -> None:
    """Write the network as ONNX with inputs x and eps, output logits, and a free batch axis."""
    batch = {0: "batch"}
    program = torch.onnx.export(
        network,
        (torch.zeros(2, 6), torch.zeros(2, network.noise)),
        dynamo=True,
        input_names=["x", "eps"],
        output_names=["logits"],
        dynamic_shapes=(batch, batch),
        opset_version=18,
        verbose=False,
    )
    assert program is not None
    model = program.model_proto
    for node in model.graph.node:
        del node.metadata_props[:]  # the exporter notes the paths of the machine that it ran on
    for value in [*model.graph.input, *model.graph.output, *model.graph.value_info]:
        del value.metadata_props[:]
    path.write_bytes(model.SerializeToString(deterministic=True))


def load_network(path: Path) -> Predict:
    """Return the mean probabilities over many passes of an ONNX file, its noise seeded."""
    session = onnxruntime.InferenceSession(path)
    noise = session.get_inputs()[1].shape[1]

    def predict(inputs: Matrix) -> Probabilities:
        x = np.repeat(inputs, PASSES, axis=0)
        eps = np.random.default_rng(SEED).standard_normal((len(x), noise), dtype=np.float32)
        (logits,) = session.run(["logits"], {"x": x, "eps": eps})
        passes = softmax(logits.astype(np.float64), axis=1).reshape(len(inputs), PASSES, -1)
        return np.asarray(passes.mean(axis=1))

    return predict


# Figures and cards


def measure(probabilities: Probabilities, birds: Birds, labels: list[str]) -> Figures:
    """Return the figures of these probabilities, shape (birds, labels), in the labels' order."""
    truth = birds.species[:, None] == np.array(labels)
    correct = probabilities.argmax(axis=1) == truth.argmax(axis=1)
    likelihood = np.clip(probabilities[truth], np.finfo(np.float64).eps, 1)
    return Figures(
        accuracy=float(correct.mean()),
        log_loss=float(-np.log(likelihood).mean()),
        brier=float(np.square(probabilities - truth).sum(axis=1).mean()),
        calibration_error=calibration_error(probabilities.max(axis=1), correct),
        recall={label: float(correct[birds.species == label].mean()) for label in labels},
    )


def calibration_error(confidence: Probabilities, correct: NDArray[np.bool_]) -> float:
    """Return the expected gap between how sure a model is and how often it is right, in bins."""
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = np.bincount(bins, weights=confidence - correct, minlength=BINS)
    return float(np.abs(gaps).sum() / len(confidence))


def write_card(model: Spec, figures: Figures, training: Birds, held_out: Birds) -> None:
    """Renew the section "How well it does" of a model's card; its prose is written by hand."""
    path = HERE / model["card"]
    section = describe_figures(figures, len(training.species), len(held_out.species))
    card = path.read_text(encoding="utf-8")
    path.write_text(SECTION.sub(lambda _: section, card), encoding="utf-8")


def describe_figures(figures: Figures, trained_on: int, measured_on: int) -> str:
    """Return the figures in Markdown, with how many birds they rest on."""
    recall = [f"| Recall, {name} | {share:.3f} |" for name, share in figures.recall.items()]
    lines = [
        f"Trained on {trained_on} birds and measured on {measured_on} others of the same mix.",
        "",
        "| Figure | Value |",
        "| --- | --- |",
        f"| Accuracy | {figures.accuracy:.3f} |",
        f"| Log loss, in nats | {figures.log_loss:.3f} |",
        f"| Brier score, 0 best to 2 worst | {figures.brier:.3f} |",
        f"| Expected calibration error, {BINS} bins | {figures.calibration_error:.3f} |",
        *recall,
        "",
        f"With so few birds one mistake more or less moves the accuracy by {1 / measured_on:.2f}.",
    ]
    return "\n".join(lines)


# The run


def write_models(training: Birds, spec: Spec) -> None:
    """Train the four models and write their files."""
    labels = spec["task"]["labels"]
    (HERE / "models").mkdir(exist_ok=True)
    export_network(train_network(training, labels), HERE / "models" / "bnn.onnx")
    for name, pipeline in make_pipelines().items():
        pipeline.fit(training.inputs, training.species)
        skops.io.dump(pipeline, HERE / "models" / f"{name}.skops", compression=zipfile.ZIP_DEFLATED)


def load_model(model: Spec) -> Predict:
    """Return what a model of podium.toml predicts, from its file."""
    path = HERE / model["file"]
    return load_network(path) if path.suffix == ".onnx" else load_pipeline(path)


def print_ranges(training: Birds, spec: Spec) -> None:
    """Print the `range` that podium.toml should give for each measurement."""
    for column in MEASURES:
        values = training.inputs[:, column]
        print(f"{spec['features'][column]['name']:<20}{values.min():>8.1f}{values.max():>8.1f}")


def print_figures(name: str, figures: Figures) -> None:
    """Print one line of the summary table."""
    overall = [figures.accuracy, figures.log_loss, figures.brier, figures.calibration_error]
    values = [*overall, *figures.recall.values()]
    print(f"{name:<10}" + "".join(f"{value:>10.3f}" for value in values))


def main() -> None:
    """Train, write, load again, measure, and print a summary."""
    spec = tomllib.loads((HERE / "podium.toml").read_text(encoding="utf-8"))
    labels = spec["task"]["labels"]
    training_rows, held_out_rows = split_rows(read_rows(), spec["task"]["target"])
    training, held_out = encode_rows(training_rows, spec), encode_rows(held_out_rows, spec)
    write_rows(training_rows, "train.csv")
    write_rows(held_out_rows, "held_out.csv")
    write_models(training, spec)
    print_ranges(training, spec)
    columns = ["accuracy", "log loss", "Brier", "ECE", *labels]
    print(f"\n{'':<10}" + "".join(f"{column:>10}" for column in columns))
    for model in spec["models"]:
        figures = measure(load_model(model)(held_out.inputs), held_out, labels)
        write_card(model, figures, training, held_out)
        print_figures(model["name"], figures)


if __name__ == "__main__":
    main()
