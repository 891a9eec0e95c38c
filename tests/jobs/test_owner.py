"""Which workers of this host are dead."""

from __future__ import annotations

import subprocess
import sys

from podium.jobs.owner import dead_among, own_name


def test_this_process_lives() -> None:
    """A process that runs is not among the dead."""
    assert dead_among([own_name()]) == set()


def test_process_that_has_ended_is_dead() -> None:
    """A process is dead once it has ended, waited for by its parent or not."""
    code = "from podium.jobs.owner import own_name; print(own_name(), flush=True); input()"
    process = subprocess.Popen(  # noqa: S603  the interpreter that runs this test
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    name = process.stdout.readline().strip()
    assert dead_among([name]) == set()
    process.kill()
    process.communicate()
    assert dead_among([name]) == {name}


def test_another_process_of_the_same_number_is_not_taken_for_it() -> None:
    """A number that is given again to a process started later means another one."""
    host, pid, _ = own_name().rsplit("/", 2)
    assert dead_among([f"{host}/{pid}/1"]) == {f"{host}/{pid}/1"}


def test_of_other_hosts_nothing_is_known() -> None:
    """Whether a process of another host, or of this one before its start, lives cannot be seen."""
    assert dead_among(["elsewhere/0000-1111/4026531836/99999999/5", "strange"]) == set()
