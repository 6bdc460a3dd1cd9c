"""nn.GRU as it is: layers, widths, layouts, and what stands before and behind it."""

from collections.abc import Iterator

from torch import nn

from tests.variety.onnx_models.case import Case, Sessions, Whole
from tests.variety.onnx_models.exported import BOTH, Net, exported


def cases() -> Iterator[Case]:
    yield from exported(
        "one layer",
        lambda: Net(
            lambda m, x: m.head(m.gru(x)[0]),
            gru=nn.GRU(3, 8, batch_first=True),
            head=nn.Linear(8, 2),
        ),
        Sessions(),
        by=(*BOTH, "old 9", "old 11", "old 13", "new 20", "new 23"),
    )
    yield from exported(
        "three layers",
        lambda: Net(
            lambda m, x: m.head(m.gru(x)[0]),
            gru=nn.GRU(3, 8, 3, batch_first=True),
            head=nn.Linear(8, 2),
        ),
        Sessions(),
    )
    yield from exported(
        "both ways",
        lambda: Net(
            lambda m, x: m.head(m.gru(x)[0]),
            gru=nn.GRU(3, 8, batch_first=True, bidirectional=True),
            head=nn.Linear(16, 2),
        ),
        Whole(("bidirectional",)),
    )
