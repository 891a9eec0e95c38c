"""The command line: parse, call, print; nothing else."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from podium import __version__, cli_container
from podium.cli_deploy import deploy
from podium.cli_doctor import doctor
from podium.cli_keys import keys
from podium.cli_options import (
    proxy_options,
    scoring_options,
    serve_options,
    state_option,
    state_options,
)
from podium.cli_production import COMMANDS
from podium.errors import InvalidInput, PodiumError, counted, nearest

DEMOS = Path(__file__).parent / "demos"


class Command(click.Group):
    """A group whose errors are one line, not a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; print a PodiumError and leave with its exit code."""
        try:
            return super().invoke(ctx)
        except PodiumError as err:
            click.echo(f"podium: {_told(err)}", err=True)
            ctx.exit(err.exit_code)


@click.group(cls=Command, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="podium")
def main() -> None:
    """Turn a trained model into a REST API and a page that says how sure it is."""


for one in (keys, doctor, deploy, *cli_container.COMMANDS, *COMMANDS):
    main.add_command(one)


@main.command()
@click.argument("source", metavar="DIR_OR_MODEL", type=click.Path(exists=True, path_type=Path))
@serve_options
@proxy_options
def serve(source: Path, **options: Any) -> None:
    """Serve an application folder, or a model as it is."""
    from podium.serve import ServeOptions, serve_application

    serve_application(source, ServeOptions(**options), click.echo)


@main.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@state_options
@click.option("--key", hidden=True)
@click.option("--supervised", is_flag=True, hidden=True)
def worker(
    folder: Path, state: Path | None, database: str | None, key: str | None, supervised: bool
) -> None:
    """Work on the data sets that DIR's server has received, until told to stop.

    `podium serve` runs one itself. More of them, on this host or on others, share its --state
    folder and its --database, and see DIR at the same path.
    """
    from podium.jobs.state import state_folder
    from podium.production.keeper import work

    if supervised:
        from podium.jobs.worker import run_worker

        run_worker(folder, state, database, key)
    else:
        sys.exit(work(folder, state_folder(folder, state, database, key)))


@main.command()
@click.argument("folder", metavar="DIR", type=click.Path(exists=True, path_type=Path))
@state_options
@click.option("--clear", is_flag=True, help="Remove them all, and their links with them.")
def history(folder: Path, state: Path | None, database: str | None, clear: bool) -> None:
    """Tell how many answers DIR's server keeps under links, or remove them."""
    from podium.jobs.state import state_folder

    answers = state_folder(folder, state, database).answers()
    number, size = answers.held()
    click.echo(f"Kept under links: {counted(number, 'answer')}, {size / 1e6:.1f} MB.")
    if clear:
        click.echo(f"Removed: {counted(answers.clear(), 'answer')}.")
    answers.close()


@main.command()
@click.argument("name", default="penguins")
@click.option(
    "--cache",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="PODIUM_CACHE",
    show_envvar=True,
    help="Folder for models that a demo makes once; the user's cache when left out.",
)
@serve_options
def demo(name: str, cache: Path | None, **options: Any) -> None:
    """Serve a demo of Podium's own: penguins (default), digits or photos.

    photos makes its models when it is first served, which needs podium[photos].
    """
    from podium.demo import ready_folder
    from podium.serve import ServeOptions, serve_application

    folder = ready_folder(_demo_folder(name), cache, click.echo)
    serve_application(folder, ServeOptions(**options), click.echo)


@main.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@state_option
def check(folder: Path, state: Path | None) -> None:
    """Validate DIR, load every model, run the examples and measure the latency."""
    if not _passes(folder, state):
        sys.exit(1)


@main.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--model", help="The model to export; the first when left out.")
@click.option(
    "--tolerance",
    default=1e-4,
    show_default=True,
    type=click.FloatRange(0),
    help="How far answers may differ: of a probability, or of the values' spread.",
)
@click.option("--even-if-slower", is_flag=True, help="Take the ONNX graph even if it is slower.")
def optimize(folder: Path, **options: Any) -> None:
    """Put an ONNX graph in a model's place if it answers the same, and faster."""
    from podium.optimize import Wishes, optimize_application, render_outcome

    render_outcome(optimize_application(folder, Wishes(**options), click.echo))


@main.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.argument("data", metavar="LABELLED.csv", type=click.Path(path_type=Path))
@click.option(
    "--confidence-level",
    default=0.9,
    show_default=True,
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="How often the truth should be in the set or interval of an answer.",
)
@click.option("--model", "models", multiple=True, metavar="NAME",
              help="A model to calibrate; repeat for several. All when left out.")  # fmt: skip
@click.option(
    "--method",
    type=click.Choice(["lac", "aps", "absolute", "normalised"]),
    help="lac (default) and aps make sets of labels; normalised (default where a model tells how "
    "sure it is) and absolute make intervals of a value.",
)
@click.option("--target", metavar="NAME", help="The column of the answers; [task] target when "
              "left out.")  # fmt: skip
@click.option("--leave-out-known", is_flag=True, help="Leave out rows that stand in the training "
              "data too.")  # fmt: skip
def calibrate(folder: Path, data: Path, models: tuple[str, ...], **options: Any) -> None:
    """Calibrate DIR's models on LABELLED.csv, whose rows no model has seen.

    Every answer then has a prediction set or interval that holds the truth as often as the
    confidence level says. What was found is kept as JSON beside each model.
    """
    from podium.calibrate import Wishes, calibrate_application, progress_line, render_outcome

    wishes = Wishes(models=models, **options)
    with progress_line() as progress:
        outcome = calibrate_application(folder, data, wishes, progress)
    render_outcome(outcome)
    if not outcome.passed:
        sys.exit(1)


@main.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.argument("inputs", metavar="INPUT...", nargs=-1, required=True)
@click.option("--model", help="The model that answers; the first when left out.")
@click.option("--seed", help="Seeds the noise of a stochastic model.")
@click.option("--confidence-level", help="The level of intervals.")
@click.option("--top", help="How many labels are returned.")
@click.option("--include", help="What is added to the answer: samples, map.")
@click.option("--map-ms", help="How long the maps of images may take, in milliseconds.")
def predict(folder: Path, inputs: tuple[str, ...], **options: str | None) -> None:
    """Answer INPUT without a server: name=value pairs, image files or texts.

    Prints what POST /predict answers.
    """
    from podium.predict import predict_once

    click.echo(predict_once(folder, inputs, options))


@main.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.argument("data", metavar="DATA", type=click.Path(path_type=Path))
@click.option("-o", "--output", default="results.csv", show_default=True,
              type=click.Path(path_type=Path),
              help="The file to write: .csv or .parquet.")  # fmt: skip
@scoring_options
def score(folder: Path, data: Path, output: Path, **options: Any) -> None:
    """Score each row of DATA with DIR's models.

    DATA is a CSV, TSV, Parquet or Excel file, or a zip of images. Its rows are written as they
    are, with the answers beside them; a row that cannot be scored has its reason in podium_error.
    Where DATA holds the answers too, they are compared. While it works, a hidden folder beside the
    output takes about three times the room of DATA.
    """
    from podium.datasets.wishes import Wishes
    from podium.score import render_scored, score_application

    found = score_application(folder, data, output, Wishes(**options))
    render_scored(found, output)
    if found.failed == found.rows:
        sys.exit(1)


@main.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.argument("data", metavar="DATA", type=click.Path(path_type=Path))
@click.option("-o", "--output", default="report.html", show_default=True,
              type=click.Path(path_type=Path), help="The file to write.")  # fmt: skip
@scoring_options
def report(folder: Path, data: Path, output: Path, **options: Any) -> None:
    """Score DATA with DIR's models, judge them, and write a report.

    DATA is a CSV, TSV, Parquet or Excel file, or a zip of images. The report is one HTML file that
    opens offline: metrics, comparisons and figures. While it is made, a hidden folder beside it
    takes about three times the room of DATA.
    """
    from podium.datasets.wishes import Wishes
    from podium.report import report_application

    report_application(folder, data, output, Wishes(**options))
    click.echo(f"Wrote {output}")


@main.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.argument("language", metavar="LANGUAGE")
def translate(folder: Path, language: str) -> None:
    """Write every text of DIR's page into translations/LANGUAGE.po, to be translated.

    LANGUAGE is a tag such as de or pt-BR; podium.toml names it as language. A file that is there
    is brought up to date: what is translated stays.
    """
    from podium.translate import translate_application

    told = translate_application(folder, language)
    click.echo(f"Wrote {told.file}: {told.left} of {told.texts} texts are to be translated.")


def init_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of `init`: what the file and its maker may have to say."""
    file = click.Path(dir_okay=False, path_type=Path)
    for option in reversed((
        click.option("--output", type=click.Path(path_type=Path), help="The folder to make."),
        click.option("--title", help="What the page is called."),
        click.option("--name", help="What requests call the model."),
        click.option("--task", type=click.Choice(["classification", "regression"]),
                     help="What is predicted."),
        click.option("--labels", metavar="A,B,C", help="The classes in the model's order, or a "
                     "file with one a line."),
        click.option("--target", metavar="NAME", help="What is predicted; the column of the "
                     "answers in --data."),
        click.option("--unit", help="The unit of a regression's value."),
        click.option("--features", metavar="A,B,C", help="The columns in the model's order, or "
                     "how many."),
        click.option("--size", metavar="HEIGHTxWIDTH", help="The model takes images of this size; "
                     "28x28x1 in grey."),
        click.option("--image-config", metavar="FILE", help="How pictures were prepared in "
                     "training, as Hugging Face, timm or torchvision write it down."),
        click.option("--text", is_flag=True, help="The model takes texts."),
        click.option("--data", type=file, metavar="FILE", help="A labelled CSV file: names, kinds, "
                     "ranges, choices and examples come from it."),
        click.option("--offer-data", is_flag=True, help="Offer the data for download."),
        click.option("--factory", metavar="MODULE:FUNCTION", help="What builds the module that "
                     "weights go into."),
        click.option("--python", metavar="MODULE:NAME", help="Your own model, a function or a "
                     "class; MODEL is then what it reads."),
        click.option("--runtime", metavar="NAME", help="What reads the model; guessed from its "
                     "form."),
        click.option("--trust", is_flag=True, help="The model is a program, and you vouch for "
                     "this very file."),
        click.option("--check/--no-check", default=True, help="End with `podium check`."),
    )):  # fmt: skip
        command = option(command)
    return command


@main.command()
@click.argument("model", required=False)
@init_options
def init(model: str | None, output: Path | None, check: bool, **options: Any) -> None:
    """Make an application folder from MODEL and what it tells.

    MODEL is a file, a folder, module.py:name, or a name on the Hugging Face hub. On a terminal
    the rest is asked for. Guesses are marked in podium.toml.
    """
    from podium.init import Order, create_application
    from podium.init.questions import Terminal

    order = Order.parse(model, options)
    folder = output or order.folder
    ask = Terminal() if sys.stdin.isatty() and sys.stdout.isatty() else None
    for note in create_application(order, folder, ask):
        click.echo(note)
    click.echo(f"Wrote {folder / 'podium.toml'}; its guesses are marked.")
    if check and not _passes(folder):
        click.echo(f"Everything in {folder} stays. Mend podium.toml, then: podium check {folder}")
        sys.exit(1)
    click.echo(f"Next:\n  podium serve {folder}")


def _passes(folder: Path, state: Path | None = None) -> bool:
    """Check a folder and print the report; return whether all is well."""
    from podium.check import check_application, render_report

    report = check_application(folder, state)
    render_report(report)
    return report.passed


def _told(error: PodiumError) -> str:
    """Return an error with every mistake in it, one a line."""
    if isinstance(error, InvalidInput):
        return "\n".join(["Invalid input", *(f"  {e.field}: {e.message}" for e in error.errors)])
    return str(error)


def _demo_folder(name: str) -> Path:
    known = sorted(folder.name for folder in DEMOS.iterdir() if (folder / "podium.toml").is_file())
    if name not in known:
        raise PodiumError(
            f"There is no demo {name!r}.{nearest(name, known)} Demos: {', '.join(known)}"
        )
    return DEMOS / name
