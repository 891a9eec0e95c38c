"""`python -m benchmarks.engines`: a model in each web worker against one for all of them.

Models of random weights, of 20 kB, 20 MB and 1 GB, are served by 4 web workers with each engine;
memory is the proportional set size (PSS, proc(5)) of all processes of a server, after the load.
"""

from __future__ import annotations

import json
import os
import re
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

import click
import numpy as np

from benchmarks.applications import Case
from benchmarks.load import Load, load_server
from benchmarks.servers import ROOT, Server, serving

ENGINES: Final = ("local", "gunicorn")
WORKERS: Final = 4
FEATURES: Final = 5


class Size(NamedTuple):
    """A network: so many square layers of so many units, 4 bytes a weight."""

    title: str
    units: int
    layers: int


SIZES: Final = (Size("20 kB", 64, 1), Size("20 MB", 2236, 1), Size("1 GB", 4096, 15))


class Measured(NamedTuple):
    """What one engine did with one model."""

    megabytes: float
    one: Load
    many: Load


@click.command(help=__doc__)
@click.option("--seconds", default=5, show_default=True, help="The time of one measurement.")
@click.option("--rounds", default=3, show_default=True, help="How often each is measured.")
@click.option("--size", "titles", multiple=True, help="Measure this size alone, such as '1 GB'.")
@click.option("--connections", default=16, show_default=True, help="Clients at a time.")
@click.option(
    "--work", type=click.Path(path_type=Path), default=ROOT / ".build/bench/engines",
    help="Where models, applications and logs are kept.",
)  # fmt: skip
def main(
    seconds: int, rounds: int, titles: tuple[str, ...], connections: int, work: Path
) -> None:  # fmt: skip
    """Run the benchmark from the command line."""
    click.echo(f"| model | engine | memory of all processes | 1 client | {connections} clients |")
    click.echo("|---|---|---|---|---|")
    for size in [size for size in SIZES if not titles or size.title in titles]:
        for engine in ENGINES:
            case = _case(work, size, engine)
            with serving("Podium", case, work) as server:
                runs = [_measure(server, case, seconds, connections, work) for _ in range(rounds)]
            memory = median(run.megabytes for run in runs)
            one = _middle([run.one for run in runs])
            many = _middle([run.many for run in runs])
            click.echo(
                f"| {size.title} | {engine} | {memory:,.0f} MB | {_line(one)} | {_line(many)} |"
            )


def _measure(server: Server, case: Case, seconds: int, connections: int, work: Path) -> Measured:
    one = load_server(server, case, 1, seconds, work)
    many = load_server(server, case, connections, seconds, work)
    return Measured(_pss_kb(server.process.pid) / 1000, one, many)


def _middle(loads: list[Load]) -> Load:
    return Load(*(median(values) for values in zip(*loads, strict=True)))


def _line(load: Load) -> str:
    return f"{load.rate:,.1f}/s, p50 {load.p50:.1f} ms, p99 {load.p99:.1f} ms"


def _pss_kb(pid: int) -> int:
    """Return the memory of a process and all that it has started, shared parts in their shares."""
    told = Path(f"/proc/{pid}/smaps_rollup").read_text()
    found = re.search(r"^Pss:\s+(\d+)", told, re.M)
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    children = [int(one) for task in tasks for one in task.read_text().split()]
    return int(found[1] if found else 0) + sum(map(_pss_kb, children))


def _case(work: Path, size: Size, engine: str) -> Case:
    name = f"{size.units}x{size.layers}"
    folder = work / f"{name}-{engine}"
    model = work / f"{name}.onnx"
    if not model.exists():
        work.mkdir(parents=True, exist_ok=True)
        _write(model, size)
    folder.mkdir(exist_ok=True)
    if not (folder / "model.onnx").exists():
        os.link(model, folder / "model.onnx")
    features = "".join(f'[[features]]\nname = "x{index}"\n' for index in range(FEATURES))
    (folder / "podium.toml").write_text(
        f'title = "{size.title}"\n[task]\nkind = "regression"\ntarget = "y"\n{features}'
        '[[models]]\nname = "model"\nfile = "model.onnx"\n'
        f'[server]\nengine = "{engine}"\nworkers = {WORKERS}\n'
    )
    row = {f"x{index}": 0.1 * index for index in range(FEATURES)}
    body = json.dumps({"inputs": [row]}).encode()
    return Case(f"{name}-{engine}", size.title, folder, body, body, "application/json")


def _write(file: Path, size: Size) -> None:
    """Write a network of random weights that keeps the scale of its inputs."""
    from onnx import TensorProto, helper, numpy_helper, save

    rng = np.random.default_rng(0)
    widths = [FEATURES, *[size.units] * (size.layers + 1), 1]
    nodes, weights = [], []
    for layer, (rows, columns) in enumerate(pairwise(widths)):
        values = rng.standard_normal((rows, columns), np.float32) / np.sqrt(np.float32(rows))
        weights.append(numpy_helper.from_array(values, f"w{layer}"))
        last = layer == len(widths) - 2
        made = "y" if last else f"m{layer}"
        nodes.append(
            helper.make_node("MatMul", [f"h{layer}" if layer else "x", f"w{layer}"], [made])
        )
        if not last:
            nodes.append(helper.make_node("Tanh", [made], [f"h{layer + 1}"]))
    graph = helper.make_graph(
        nodes, "random", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", FEATURES])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 1])], weights,
    )  # fmt: skip
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), file)


if __name__ == "__main__":
    main()
