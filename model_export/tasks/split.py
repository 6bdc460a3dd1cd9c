"""How data is divided: training, validation and test part, each a share or a number."""

from itertools import pairwise

from model_export.data.source import Split
from model_export.errors import RecipeError
from model_export.recipes.recipe import Shares


def split_of(total: int, shares: Shares, of: str) -> Split:
    """The parts of `total` things (`of` names them), one behind the other.

    `shares` add up to at most one, or are whole numbers of things. Raises RecipeError, also where
    a part has nothing.
    """
    split = parts_of(total, shares, of)
    ends = (0, split.train, split.validation, split.total)
    for name, (begin, end) in zip(("training", "validation", "test"), pairwise(ends), strict=True):
        if begin == end:
            raise RecipeError(f"--split {_said(shares)}: the {name} part of {total} {of} has none")
    return split


def parts_of(total: int, shares: Shares, of: str) -> Split:
    """As `split_of`, where a part may have nothing."""
    if min(shares) <= 0:
        raise RecipeError(f"--split {_said(shares)}: every part needs some of the data")
    train, validation, test = shares
    if max(shares) <= 1:
        if train + validation + test > 1 + 1e-9:
            raise RecipeError(f"--split {_said(shares)} adds up to more than 1")
        ends = [train, train + validation, train + validation + test]
        return Split(*(min(total, round(total * end)) for end in ends))
    if any(not float(part).is_integer() for part in shares):
        raise RecipeError(f"--split {_said(shares)}: shares below 1, or whole numbers of {of}")
    counts = [int(part) for part in shares]
    if sum(counts) > total:
        raise RecipeError(f"--split {_said(shares)} asks for {sum(counts)} {of}, there are {total}")
    return Split(counts[0], counts[0] + counts[1], sum(counts))


def _said(shares: Shares) -> str:
    return ",".join(f"{part:g}" for part in shares)
