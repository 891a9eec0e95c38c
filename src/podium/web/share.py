"""Links to what is shown, in words: of an answer, and of a data set."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from flask import url_for
from flask_babel import gettext as _

from podium.web.words import moment

if TYPE_CHECKING:
    from podium.jobs.answers import KeptAnswer
    from podium.jobs.job import Job


class ShareView(NamedTuple):
    """The link to what is shown: its whole `address`, how long it leads there and for whom.

    `delete` is where a form deletes it, "" where another form on the page does. Without an address
    no link could be made.
    """

    address: str
    title: str
    words: str
    delete: str = ""


def share_of(answer: KeptAnswer) -> ShareView:
    """Return the link to a kept answer."""
    return ShareView(
        url_for("answers.show", answer_id=answer.id, _external=True),
        _("Link to this answer"),
        _("Kept until %(when)s. Whoever has the link can see what was entered and answered, and "
          "can delete it; without the link it cannot be found.", when=moment(answer.removed_at)),
        url_for("answers.delete_by_form", answer_id=answer.id),
    )  # fmt: skip


def failed_share(too_large: bool = False) -> ShareView:
    """Return what is told where an answer could not be kept."""
    if too_large:
        told = _("No link could be made for this answer: it is too large to be kept.")
        return ShareView("", "", told)
    return ShareView("", "", _("No link could be made for this answer. Predict again in a moment."))


def share_of_dataset(job: Job) -> ShareView:
    """Return the link to a data set."""
    return ShareView(
        url_for("datasets.show", job_id=job.id, _external=True),
        _("Link to this data set"),
        _("Whoever has the link can see the data set and its results, and can remove them; "
          "without the link they cannot be found."),
    )  # fmt: skip
