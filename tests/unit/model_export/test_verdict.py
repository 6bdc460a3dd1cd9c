"""What is said of a model that a simple one does as well as."""

import pytest

from model_export.trained import Curve
from model_export.verdict import why_not_better

FALLING = tuple(1 / epoch for epoch in range(1, 21))


@pytest.mark.parametrize(
    ("training", "validation", "said"),
    [
        (FALLING, FALLING, "still falling at epoch 20 of 20: longer training, with --epochs 60"),
        (FALLING, (*FALLING[:10], *[0.2] * 10), "rises after epoch 10 of 20"),
        (FALLING, (*FALLING[:10], *[0.101] * 10), "has not fallen since epoch 10 of 20"),
        ([1.0] * 20, (*FALLING[:10], *[0.2] * 10), "has not fallen since epoch 10 of 20"),
    ],
    ids=["too short", "learnt by heart", "settled", "not learnt by heart"],
)
def test_what_the_losses_tell(
    training: tuple[float, ...], validation: tuple[float, ...], said: str
) -> None:
    assert said in why_not_better(Curve("loss", training, validation))
