"""Operators that take pieces of a tensor or join some: harmless unless they do so over time."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import onnx_ir as ir
import sympy

from model_export.rewrite.axes import TIME, Axis, Size, T, has_symbol, length_of, merged, size_of
from model_export.rewrite.facts import Fact, NeedsWhole, NotAlone, Source
from model_export.rewrite.rules.elementwise import align, unpadded
from model_export.rewrite.rules.layout import axis_of, numbers_of, sizes_of
from model_export.rewrite.rules.rule import Context, Edit, Outcome, both, carry, given, source_of

if TYPE_CHECKING:
    from model_export.rewrite.writer import Writer

_END = 2**31 - 1
"""From here on an end means the end of the axis."""


def gather(node: ir.Node, facts: Sequence[Fact | None], context: Context) -> Outcome:
    table, indexes = given(facts[0]), given(facts[1])
    axis = node.attributes.get_int("axis", 0) % len(table.axes)
    if indexes.source > Source.STATIC:
        return _looked_up(node, (table, indexes), axis, context)
    if TIME in table.axes[axis] and table.source > Source.STATIC:
        return _one_step(table, indexes, axis, context)
    if has_symbol(table.axes[axis]):
        raise NotAlone("picks some sequences of a batch")
    axes = (*table.axes[:axis], *indexes.axes, *table.axes[axis + 1 :])
    return Outcome((table.with_axes(axes),))


def _looked_up(node: ir.Node, facts: tuple[Fact, Fact], axis: int, context: Context) -> Outcome:
    """An embedding: rows of a table by numbers from the sequence."""
    table, indexes = facts
    if table.source > Source.STATIC:
        raise NeedsWhole("picks steps by numbers that are computed")
    axes = (*table.axes[:axis], *indexes.axes, *table.axes[axis + 1 :])
    late, edit = align(node, facts, context)
    return Outcome((replace(indexes, axes=axes, late=late, value=None, padding=0.0),), edit)


def _one_step(table: Fact, indexes: Fact, axis: int, context: Context) -> Outcome:
    """The last step, or none."""
    wanted = sizes_of(indexes, "the step of")
    if len(wanted) != 1:
        raise NeedsWhole("picks several steps")
    at_last = last_step(table, wanted[0], context)
    dropped = table.axes[:axis] + indexes.axes + table.axes[axis + 1 :]

    def take_only(writer: "Writer", copy: ir.Node) -> None:
        if writer.kind == "window":
            return
        zeros = np.zeros(() if not indexes.axes else (1,), np.int64)
        copy.replace_input_with(1, writer.constant(copy, zeros))

    return Outcome((replace(at_last, axes=dropped),), take_only)


def last_step(fact: Fact, index: Size, context: Context) -> Fact:
    """The fact of one step of a sequence, which must be the last. Its axes are left as they are."""
    length = T + fact.extra
    is_last = index == -1 or sympy.simplify(length - 1 - sympy.sympify(index)) == 0
    if not is_last and isinstance(index, int):
        is_last = context.fixed.number(length) == index + 1
    if not is_last:
        raise NeedsWhole(f"picks step {index}, which is not the last one")
    if fact.extra + fact.late != 0:
        raise NeedsWhole("picks the last step of what looks ahead")
    return replace(fact, source=Source.LAST, extra=0, late=fact.late, value=None)


def slices(node: ir.Node, facts: Sequence[Fact | None], context: Context) -> Outcome:
    fact = given(facts[0])
    rank = len(fact.axes)
    starts, ends = sizes_of(facts[1], "the starts of"), sizes_of(facts[2], "the ends of")
    axes = numbers_of(facts[3]) if len(facts) > 3 and facts[3] else list(range(len(starts)))
    steps = numbers_of(facts[4]) if len(facts) > 4 and facts[4] else [1] * len(starts)
    cuts_time = False
    for begin, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        if TIME in fact.axes[axis % rank] and fact.source > Source.STATIC:
            fact = _slice_of_time(fact, axis % rank, (begin, end, step), context)
            cuts_time = True
        else:
            fact = _slice_of_axis(fact, axis % rank, begin, end, step)
    if not cuts_time:
        return Outcome((replace(fact, value=None),))
    if len(axes) > 1:
        raise NeedsWhole("cuts the time and other axes at once; slice them one after the other")
    return Outcome((fact,), _pass_on)


def _pass_on(writer: "Writer", copy: ir.Node) -> None:
    """Where each step comes when it comes, there is nothing to cut."""
    if writer.kind == "window":
        return
    writer.replace(copy, "Identity", [copy.inputs[0]])


def _slice_of_axis(fact: Fact, axis: int, begin: Size, end: Size, step: int) -> Fact:
    had = fact.axes[axis]
    if has_symbol(had):
        if (
            begin == 0
            and step == 1
            and (not isinstance(end, int) or end >= _END or end == size_of(had))
        ):
            return fact
        raise NotAlone("picks some sequences of a batch")
    length = size_of(had)
    if not (isinstance(begin, int) and isinstance(end, int) and isinstance(length, int)):
        raise NeedsWhole("cuts at a place that depends on the lengths")
    size = len(
        range(length)[begin if begin > -_END else None : end if abs(end) < _END else None : step]
    )
    return fact.with_axes(
        tuple(axis_of(size) if index == axis else one for index, one in enumerate(fact.axes))
    )


def _slice_of_time(
    fact: Fact, axis: int, cut_out: tuple[Size, Size, int], context: Context
) -> Fact:
    begin, end, step = cut_out
    if step != 1:
        how = "runs through the time backwards" if step < 0 else "leaves steps out"
        raise NeedsWhole(how)
    if merged(fact.axes[axis]) != (TIME,):
        raise NeedsWhole("cuts an axis that is more than the time")
    length = T + fact.extra
    first, behind = _place(begin, length, context), _place(end, length, context)
    if sympy.simplify(behind - length) == 0 and sympy.simplify(first - length + 1) == 0:
        last = last_step(fact, -1, context)
        return replace(last, axes=_without_time(last.axes, axis))
    if not (first.is_Integer and first >= 0):
        raise NeedsWhole("keeps the last steps only")
    cut = sympy.simplify(length - behind)
    if not cut.is_Integer:
        raise NeedsWhole("keeps the first steps only")
    begun = int(first)
    return replace(
        fact, late=fact.late + begun, extra=fact.extra - begun - max(0, int(cut)), value=None
    )


def _without_time(axes: tuple[Axis, ...], axis: int) -> tuple[Axis, ...]:
    return tuple(() if index == axis else one for index, one in enumerate(axes))


def _place(index: Size, length: sympy.Expr, context: Context) -> sympy.Expr:
    """Where in the sequence an index is, counted from its beginning."""
    number = sympy.sympify(index)
    if not number.is_Integer:
        return number
    if number >= _END:
        return length
    if number < 0:
        return length + number
    fixed = context.fixed.number(length)
    if fixed is not None and number >= fixed - 1:
        # A file that fixes the time may mean the end by a number.
        return length - (fixed - min(int(number), fixed))
    return number


def pad(node: ir.Node, facts: Sequence[Fact | None], context: Context) -> Outcome:
    fact = given(facts[0])
    rank = len(fact.axes)
    pads = numbers_of(facts[1])
    axes = numbers_of(facts[3]) if len(facts) > 3 and facts[3] else list(range(rank))
    begins, ends = pads[: len(axes)], pads[len(axes) :]
    mode = node.attributes.get_string("mode", "constant")
    result = fact
    over_time: tuple[int, int] = (0, 0)
    for axis, begin, end in zip((axis % rank for axis in axes), begins, ends, strict=True):
        if not begin and not end:
            continue
        if TIME in fact.axes[axis]:
            over_time = begin, end
        elif has_symbol(fact.axes[axis]):
            raise NotAlone("pads the batch")
        else:
            padded = length_of(fact.axes[axis]) + begin + end
            result = result.with_axes(
                tuple(axis_of(padded) if at == axis else one for at, one in enumerate(result.axes))
            )
    if over_time == (0, 0):
        return Outcome((replace(result, value=None),))
    made = _padded_in_time(result, *over_time, _padding_of(facts, mode))
    alone = result.axes == fact.axes
    return Outcome((made,), _pass_on if alone else _pad_others(begins, ends, axes, fact))


def _pad_others(
    begins: Sequence[int], ends: Sequence[int], axes: Sequence[int], fact: Fact
) -> Edit:
    """Where each step comes when it comes, the other axes are padded all the same."""
    is_time = [TIME in fact.axes[axis % len(fact.axes)] for axis in axes]
    pads = [
        0 if one else pad for some in (begins, ends) for pad, one in zip(some, is_time, strict=True)
    ]

    def pad_others(writer: "Writer", copy: ir.Node) -> None:
        if writer.kind != "window":
            copy.replace_input_with(1, writer.constant(copy, np.array(pads, np.int64)))

    return pad_others


def _padding_of(facts: Sequence[Fact | None], mode: str) -> float:
    if mode != "constant":
        raise NeedsWhole(f"pads the time by {mode}")
    if len(facts) < 3 or facts[2] is None:
        return 0.0
    value = facts[2].value
    if value is None or value.size != 1:
        raise NeedsWhole("pads the time with numbers that are computed")
    return float(value.ravel()[0])


def _padded_in_time(fact: Fact, begin: int, end: int, padding: float) -> Fact:
    if fact.late < 0 and fact.padding != padding:
        raise NeedsWhole("pads the time again, with other numbers")
    if fact.late > 0 and begin > 0:
        raise NeedsWhole("pads the time after what comes late; pad before it")
    return replace(
        fact,
        late=fact.late - begin,
        extra=fact.extra + begin + end,
        padding=padding,
        value=None,
    )


def concat(node: ir.Node, facts: Sequence[Fact | None], context: Context) -> Outcome:
    known = [given(fact) for fact in facts]
    rank = len(known[0].axes)
    axis = node.attributes.get_int("axis", 0) % rank
    streams = [fact for fact in known if fact.is_stream]
    if any(TIME in fact.axes[axis] for fact in streams):
        return _joined_in_time(known, axis, context)
    late, edit = align(node, known, context)
    _check_others(known, axis)
    lengths = [fact.axes[axis] for fact in known]
    if any(map(has_symbol, lengths)):
        raise NotAlone("joins batches")
    total = sum(map(length_of, lengths))
    like = max(known, key=lambda fact: sum(map(has_symbol, fact.axes)))
    axes = tuple(axis_of(total) if at == axis else one for at, one in enumerate(like.axes))
    source = source_of(known)
    extra = streams[0].extra if streams else 0
    late = late if streams else max(fact.late for fact in known)
    repeat = _repeat_fixed_batch(known, like.axes, axis)
    return Outcome((Fact(axes, source, late, extra),), both(edit, repeat))


def _check_others(known: Sequence[Fact], axis: int) -> None:
    for at in range(len(known[0].axes)):
        lengths = {merged(fact.axes[at]) for fact in known} - {()}
        if at != axis and len(lengths) > 1:
            raise NeedsWhole("joins tensors whose axes do not belong together")


def _repeat_fixed_batch(known: Sequence[Fact], axes: tuple[Axis, ...], axis: int) -> Edit | None:
    """Concat does not broadcast: what a file fixes at a batch of one is repeated."""
    short = [
        index
        for index, fact in enumerate(known)
        if any(one == () != axes[at] for at, one in enumerate(fact.axes) if at != axis)
    ]
    if not short:
        return None

    def repeat(writer: "Writer", copy: ir.Node) -> None:
        for index in short:
            wanted = tuple(
                known[index].axes[at] if at == axis else one for at, one in enumerate(axes)
            )
            writer.expand(copy, index, wanted)

    return repeat


def _joined_in_time(known: Sequence[Fact], axis: int, context: Context) -> Outcome:
    """Padding as exporters also write it: constants before the sequence, or behind it."""
    places = [index for index, fact in enumerate(known) if fact.is_stream]
    if len(places) > 1:
        raise NeedsWhole("joins sequences one behind the other")
    place = places[0]
    frames = [_constant_frames(fact, axis) for fact in known[:place]]
    behind = [_constant_frames(fact, axis) for fact in known[place + 1 :]]
    paddings = {value for value, _ in (*frames, *behind)}
    if len(paddings) != 1:
        raise NeedsWhole("pads the time with different numbers")
    begin, end = (sum(count for _, count in some) for some in (frames, behind))
    made = _padded_in_time(known[place], begin, end, paddings.pop())

    def pass_on(writer: "Writer", copy: ir.Node) -> None:
        if writer.kind == "window":
            return
        writer.replace(copy, "Identity", [copy.inputs[place]])

    return Outcome((made,), pass_on)


def _constant_frames(fact: Fact, axis: int) -> tuple[float, int]:
    """The one number that fills a STATIC value, and its length in time."""
    length = size_of(fact.axes[axis])
    if fact.source > Source.STATIC or not isinstance(length, int):
        raise NeedsWhole("puts something before the sequence that is not constant")
    if fact.value is None or len(set(np.asarray(fact.value).ravel().tolist())) != 1:
        raise NeedsWhole("puts numbers before the sequence that differ")
    return float(np.asarray(fact.value).ravel()[0]), length


def cumulative_sum(node: ir.Node, facts: Sequence[Fact | None], context: Context) -> Outcome:
    fact = unpadded(given(facts[0]))
    axis = numbers_of(facts[1])[0] % len(fact.axes)
    if TIME not in fact.axes[axis]:
        if has_symbol(fact.axes[axis]):
            raise NotAlone("sums over the batch")
        return Outcome((fact.with_axes(fact.axes),))
    if node.attributes.get_int("reverse", 0):
        raise NeedsWhole("sums from the end of the sequence")
    if node.attributes.get_int("exclusive", 0):
        raise NeedsWhole("sums all steps before each one (exclusive)")
    if fact.late:
        raise NeedsWhole("sums what comes late")
    carried = carry(context, node, 0, fact, 1)

    def go_on(writer: "Writer", copy: ir.Node) -> None:
        writer.go_on_summing(copy, carried)

    return Outcome((fact.with_axes(fact.axes),), go_on)
