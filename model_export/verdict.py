"""Why a simple model may have done as well, as far as the losses tell."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from service.bundle.manifest import Score

if TYPE_CHECKING:
    # torch takes seconds to import.
    from model_export.trained import Curve

_LATE = 0.9
_RISEN = 1.02
"""Of the lowest validation loss: what is less is noise of the epochs."""


def wins(scores: Iterable[Score]) -> bool:
    """Whether no simple model does as well by any score that decides."""
    return all(score.beats_baselines for score in scores if score.headline)


def why_not_better(curve: "Curve") -> str:
    """One sentence on a model that a simple one does as well as, with what to try.

    `curve` has one epoch or more.
    """
    done, best = len(curve.validation), curve.best_epoch
    lowest = curve.validation[best - 1]
    if best > _LATE * done:
        return (
            f"the validation loss was still falling at epoch {best} of {done}: longer training, "
            f"with --epochs {3 * done}, may help"
        )
    if curve.validation[-1] > _RISEN * lowest and curve.training[-1] < curve.training[best - 1]:
        return (
            f"the validation loss rises after epoch {best} of {done} while the training loss "
            "falls: the network learns the training part by heart; more data, --dropout, "
            "--weight-decay or a smaller --hidden-size may help"
        )
    return (
        f"the validation loss has not fallen since epoch {best} of {done}: longer training will "
        "not help; other inputs, more data or a larger --hidden-size may, and otherwise the simple "
        "model is the better choice"
    )
