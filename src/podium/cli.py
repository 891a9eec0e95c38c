"""The command line: parse, call, print; nothing else."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from podium import __version__
from podium.errors import InvalidInput, PodiumError, nearest

if TYPE_CHECKING:
    from podium.inspect import Guess

DEMOS = Path(__file__).parent / "demos"


class Command(click.Group):
    """A group whose errors are one line, not a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; print a PodiumError and leave with exit code 1."""
        try:
            return super().invoke(ctx)
        except PodiumError as err:
            click.echo(f"podium: {_told(err)}", err=True)
            ctx.exit(1)


@click.group(cls=Command, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="podium")
def main() -> None:
    """Turn a trained model into a REST API and a page that says how sure it is."""


def serve_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that `serve` and `demo` share."""
    for option in reversed((
        click.option("--host", default="127.0.0.1", show_default=True,
                     help="Address to listen on."),
        click.option("--port", default=5000, show_default=True, type=click.IntRange(0, 65535),
                     help="Port to listen on."),
        click.option("--workers", type=click.IntRange(1), help="Web workers; one a processor."),
        click.option("--threads", type=click.IntRange(1), help="Threads of one worker."),
        click.option("--state", type=click.Path(file_okay=False, path_type=Path),
                     envvar="PODIUM_STATE", show_envvar=True,
                     help="Folder for what the server keeps."),
        click.option("--reload", is_flag=True, help="Restart when the folder changes."),
    )):  # fmt: skip
        command = option(command)
    return command


@main.command()
@click.argument("source", metavar="DIR_OR_MODEL", type=click.Path(exists=True, path_type=Path))
@serve_options
def serve(source: Path, **options: Any) -> None:
    """Serve an application folder, or a model file as it is."""
    from podium.serve import ServeOptions, serve_application

    serve_application(source, ServeOptions(**options), click.echo)


@main.command()
@click.argument("name", default="penguins")
@serve_options
def demo(name: str, **options: Any) -> None:
    """Serve a demo that comes with Podium: penguins (default) or digits."""
    from podium.serve import ServeOptions, serve_application

    serve_application(_demo_folder(name), ServeOptions(**options), click.echo)


@main.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
def check(folder: Path) -> None:
    """Validate DIR, load every model, run the examples and measure the latency."""
    from podium.check import check_application, render_report

    report = check_application(folder)
    render_report(report)
    if not report.passed:
        sys.exit(1)


@main.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.argument("inputs", metavar="INPUT...", nargs=-1, required=True)
@click.option("--model", help="The model that answers; the first when left out.")
@click.option("--seed", help="Seeds the noise of a stochastic model.")
@click.option("--confidence-level", help="The level of intervals.")
@click.option("--top", help="How many labels are returned.")
@click.option("--include", help="What is added to the answer: samples.")
def predict(folder: Path, inputs: tuple[str, ...], **options: str | None) -> None:
    """Answer INPUT without a server: name=value pairs, or image files.

    Prints what POST /predict answers.
    """
    from podium.predict import predict_once

    click.echo(predict_once(folder, inputs, options))


@main.command()
@click.argument(
    "model", metavar="MODEL_FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--output", type=click.Path(path_type=Path), help="The folder to make.")
def init(model: Path, output: Path | None) -> None:
    """Make an application folder from a model file and what it tells."""
    from podium.init import create_application

    folder = output or Path(model.stem)
    asks = sys.stdin.isatty() and sys.stdout.isatty()
    notes = create_application(model, folder, _correct if asks else None)
    for note in notes:
        click.echo(note)
    click.echo(
        f"Wrote {folder}/podium.toml. Next:\n  podium check {folder}\n  podium serve {folder}"
    )


def _told(error: PodiumError) -> str:
    """Return an error with every mistake in it, one a line."""
    if isinstance(error, InvalidInput):
        return "\n".join(["Invalid input", *(f"  {e.field}: {e.message}" for e in error.errors)])
    return str(error)


def _correct(guess: Guess) -> Guess:
    """Let the maker correct a guess; Enter keeps what is shown."""
    title = click.prompt("Title", default=guess.title)
    if not guess.labels:
        return replace(guess, title=title)
    labels = click.prompt("Labels, separated by commas", default=", ".join(guess.labels),
                          value_proc=_labels(len(guess.labels)))  # fmt: skip
    return replace(guess, title=title, labels=labels)


def _labels(count: int) -> Callable[[str], tuple[str, ...]]:
    def parse(text: str) -> tuple[str, ...]:
        labels = tuple(label.strip() for label in text.split(",") if label.strip())
        if len(labels) != count or len(set(labels)) != count:
            raise click.BadParameter(f"expected {count} different labels")
        return labels

    return parse


def _demo_folder(name: str) -> Path:
    known = sorted(folder.name for folder in DEMOS.iterdir() if (folder / "podium.toml").is_file())
    if name not in known:
        raise PodiumError(
            f"There is no demo {name!r}.{nearest(name, known)} Demos: {', '.join(known)}"
        )
    return DEMOS / name
