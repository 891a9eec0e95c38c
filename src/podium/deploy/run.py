"""`podium deploy`: render, check, plan, apply, prove, record; the same for each target."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import ClassVar, NoReturn, Protocol

from msgspec import Struct

from podium.deploy.checks import findings
from podium.deploy.commands import run_command
from podium.deploy.prepare import named, prepare, write_files
from podium.deploy.proof import prove
from podium.deploy.record import Record, Records
from podium.deploy.steps import Call, Command, Step, hidden, resolved, secrets_in, unset
from podium.deploy.target import Deployment, Files, Finding, Live, Platform, Target
from podium.errors import DeployError, PodiumError
from podium.operate.locked import locked


class PutBack(DeployError):
    """A new version did not become ready, and the one before serves again."""

    exit_code: ClassVar = 3


class NotPutBack(DeployError):
    """A new version did not become ready, and the one before could not be put back."""

    exit_code: ClassVar = 4


class Outcome(Struct, frozen=True):
    """How a deployment ended: which version serves at which address, and whether that is new."""

    address: str
    version: str
    changed: bool


class Teller(Protocol):
    """Who is told what happens, as it happens: a terminal, or a program."""

    def say(self, line: str) -> None:
        """Tell a line, of Podium's or of the platform's own."""

    def files(self, files: Files) -> None:
        """Tell all files."""

    def sizes(self, files: Files, written: Mapping[str, Path]) -> None:
        """Tell how large what goes along is, and the largest files of it."""

    def finding(self, finding: Finding) -> None:
        """Tell what does not fit."""

    def plan(self, steps: Sequence[Step]) -> None:
        """Tell all that will be done."""

    def step(self, number: int, of: int, step: Step) -> None:
        """Tell that a step begins."""


class Task:
    """One application on its way to one target: what the commands share.

    `named` is the application by its name there, which is all that most commands need.
    """

    def __init__(
        self, target: Target, folder: Path, state: Path, teller: Teller,
        environment: Mapping[str, str], wheel: Path | None = None,
    ) -> None:  # fmt: skip
        self.target, self.teller, self.environment = target, teller, environment
        self.records = Records(state)
        self.place = self.records.workplace(target.name)
        self.made = self.place / "files"
        self.named = named(target, folder)
        self._wheel = wheel

    @cached_property
    def app(self) -> Deployment:
        """The application as it is sent.

        Raises:
            BundleError: a file must not leave this machine, or no wheel of Podium is named.
        """
        return prepare(self.target, self.named.folder, self.place, self._wheel)

    def say(self, line: str) -> None:
        """Tell a line without secrets, whoever has put one there."""
        self.teller.say(self._hidden(line))

    def render(self, out: Path) -> tuple[Files, Mapping[str, Path]]:
        """Write all files into a folder that is new or empty, and return them.

        Raises:
            DeployError: the application cannot work there; all reasons at once.
        """
        if out.exists() and any(out.iterdir()):
            raise DeployError(f"{out} is not empty. Name a folder that is not there yet.")
        files = self.target.files(self.app)
        written = write_files(files, out)
        found = list(findings(self.target, self.app, files, written, self.environment, self.place))
        for finding in found:
            self.teller.finding(finding)
        fatal = [finding.told for finding in found if finding.fatal]
        if fatal:
            raise DeployError("\n".join([f"{self.app.folder} cannot go to {self.target.title}:",
                                         *(f"  {told}" for told in fatal)]))  # fmt: skip
        return files, written

    def connect(self, app: Deployment | None = None) -> Platform:
        """Return the platform, spoken to; it knows of `app` by its name alone when left out."""
        with self._quiet():
            return self.target.connect(app or self.named, self.environment)

    def look(self, platform: Platform) -> Live:
        """Return what is there."""
        with self._quiet():
            return platform.look()

    def apply(self, steps: Sequence[Step], platform: Platform, written: Mapping[str, Path]) -> None:
        """Do exactly what a plan says."""
        for number, step in enumerate(steps, 1):
            self.teller.step(number, len(steps), step)
            with self._quiet():
                self._do(step.call, platform, written)

    def prove(self, live: Live, version: str) -> str:
        """Return the address, once the version answers there, and predicts.

        Raises:
            DeployError: it does not within the time that it has.
        """
        with self._quiet():
            return prove(self.named, self.target, live, version, self.say)

    def told(self, err: Exception) -> str:
        """Return what an error says, without secrets; of one that is no refusal its kind, too."""
        told = str(err) if isinstance(err, PodiumError) else f"{type(err).__name__}: {err}"
        return self._hidden(told)

    def reason(self, platform: Platform, err: Exception) -> str:
        """Return what went wrong, with what the platform says of it if it can be asked."""
        try:
            said = platform.reason()
        except Exception:
            said = ""
        return self.told(err) + (self._hidden(f"\n{self.target.title}: {said}") if said else "")

    def agree(self, steps: Sequence[Step], agreed: Callable[[], bool]) -> None:
        """Tell a plan and ask whether it shall be done, before anything is sent.

        Raises:
            DeployError: it shall not, or its secrets have no values.
        """
        names = dict.fromkeys(name for step in steps for name in _secrets_of(step.call))
        missing = [name for name in names if not self.environment.get(name)]
        if missing:
            raise DeployError(unset(missing))
        self.teller.plan(steps)
        if not agreed():
            raise DeployError("Nothing was done.")

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Have a folder for the files, and let nobody else change the same on this machine.

        Raises:
            DeployError: somebody is at it.
        """
        with locked(self.place / "lock") as held:
            if not held:
                raise DeployError(
                    f"Another `podium deploy` is at work for {self.named.folder} at "
                    f"{self.target.title}. Wait until it has ended."
                )
            with _emptied(self.made):
                yield

    def _do(self, call: Call | Command, platform: Platform, written: Mapping[str, Path]) -> None:
        if isinstance(call, Command):
            run_command(call, self.made, self.environment, self.say)
        else:
            payload = resolved(call.payload, self.environment)
            platform.send(Call(call.operation, payload, call.file), written, self.say)

    @contextmanager
    def _quiet(self) -> Iterator[None]:
        """Take secrets out of what an error says: platforms repeat what they were sent."""
        try:
            yield
        except PodiumError as err:
            err.args = tuple(self._hidden(str(one)) for one in err.args)
            raise

    def _hidden(self, text: str) -> str:
        return hidden(text, self.named.hosted.hidden, self.environment)


def show(task: Task, out: Path | None = None) -> None:
    """Tell every file, step and payload of a first deployment: a dry run, offline.

    Raises:
        PodiumError: the application cannot go there.
    """
    app, target = task.app, task.target
    task.say(
        f"A dry run: {target.title} is neither asked nor sent anything. It tells all of a first "
        f"deployment of {app.name}, version {app.version}; what is there already is left out."
    )
    task.place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=task.place) as made:
        files, written = task.render(out or Path(made))
        task.teller.files(files)
        task.teller.sizes(files, written)
    task.teller.plan(target.plan(app, Live()))
    task.say("Then its address is asked for this version and one prediction. To do all this:\n"
             f"podium deploy {target.name} {app.folder}")  # fmt: skip


def deploy(task: Task, agreed: Callable[[], bool]) -> Outcome:
    """Put an application on a platform, so that this version serves; once more is safe.

    `agreed` is asked when all that will be done has been told.

    Raises:
        PutBack, NotPutBack: it did not become ready.
        PodiumError: nothing was changed, or what was begun goes on when it is run again.
    """
    with task.alone():
        files, written = task.render(task.made)
        task.teller.sizes(files, written)
        platform = task.connect(task.app)
        live = task.look(platform)
        if live.version == task.app.version and not live.unfinished:
            return _unchanged(task, platform, live)
        task.agree(steps := task.target.plan(task.app, live), agreed)
        return _turn(task, steps, platform, written, live, task.app.version)


def rollback(task: Task, agreed: Callable[[], bool], to: str | None = None) -> Outcome:
    """Let the version before serve again, or the version `to`.

    Raises:
        PutBack, NotPutBack: it did not become ready.
        DeployError: there is none, or it is not there any more.
    """
    with task.alone():
        platform = task.connect()
        live = task.look(platform)
        version = to or _before(task, live)
        if version not in live.versions:
            raise DeployError(
                f"Version {version} is not at {task.target.title}"
                f"{_listed(live) or ', nor is any other'}. Put the folder back to what it was, "
                f"and deploy it: podium deploy {task.target.name} {task.named.folder}"
            )
        task.agree(steps := task.target.back(task.named, live, version), agreed)
        return _turn(task, steps, platform, {}, live, version)


def destroy(task: Task, agreed: Callable[[], bool]) -> bool:
    """Remove all that a target has of an application; return whether there was anything."""
    with task.alone():
        platform = task.connect()
        live = task.look(platform)
        steps = task.target.removal(task.named, live) if live.exists else []
        if steps:
            task.agree(steps, agreed)
            task.apply(steps, platform, {})
        task.records.forget(task.target.name)
        return bool(steps)


@contextmanager
def _emptied(folder: Path) -> Iterator[Path]:
    """Make a folder for the time being; what an interrupted command has left there goes."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unchanged(task: Task, platform: Platform, live: Live) -> Outcome:
    """Return that the very version serves already, having asked it."""
    try:
        address = task.prove(live, task.app.version)
    except PodiumError as err:
        raise DeployError(task.reason(platform, err)) from err
    if names := ", ".join(task.app.hosted.hidden):
        task.say(
            f"Not sent again: the values of {names}. A new value goes along with the next version: "
            f"to send it alone, change a variable, such as [deploy.{task.target.name}] variables = "
            '{ SECRETS = "2" }'
        )
    _note(task, address, task.app.version, live)
    return Outcome(address, task.app.version, changed=False)


def _turn(
    task: Task, steps: Sequence[Step], platform: Platform, written: Mapping[str, Path],
    before: Live, version: str,
) -> Outcome:  # fmt: skip
    """Carry out a plan, after which a version serves; what served before is put back if not.

    Whatever goes wrong, a mistake of a client library's too: visitors need an answer.
    """
    try:
        task.apply(steps, platform, written)
        address = task.prove(task.look(platform), version)
    except Exception as err:
        _put_back(task, platform, before, version, err)
    _note(task, address, version, before)
    return Outcome(address, version, changed=True)


def _put_back(
    task: Task, platform: Platform, before: Live, failed: str, err: Exception
) -> NoReturn:  # fmt: skip
    """Let what served before serve again, where something did, and tell why."""
    why, version = task.reason(platform, err), before.version
    if version is None or version == failed:
        raise DeployError(why) from err
    try:
        live = task.look(platform)
        goes_on = live.version == version and not live.unfinished
        if not goes_on:
            task.say(f"Putting version {version} back ...")
            task.apply(task.target.back(task.named, live, version), platform, {})
            task.prove(task.look(platform), version)
    except Exception as again:
        raise NotPutBack(
            f"{why}\nVersion {version} could not be put back: {task.told(again)}"
        ) from err
    raise PutBack(f"{why}\nVersion {version} serves {'on' if goes_on else 'again'}.") from err


def _before(task: Task, live: Live) -> str:
    """Return the version that had served before the last one."""
    record = task.records.read(task.target.name)
    if record is None or record.before is None:
        raise DeployError(
            f"Nothing tells on this machine which version served at {task.target.title} before"
            f"{_listed(live)}. Name one with --to."
        )
    return record.before


def _listed(live: Live) -> str:
    return f"; there are {', '.join(live.versions)}" if live.versions else ""


def _note(task: Task, address: str, version: str, before: Live) -> None:
    task.records.write(Record(
        target=task.target.name, name=task.named.name, version=version, address=address,
        before=before.version,
    ))  # fmt: skip


def _secrets_of(call: Call | Command) -> list[str]:
    return list(secrets_in(call.payload if isinstance(call, Call) else call.input))
