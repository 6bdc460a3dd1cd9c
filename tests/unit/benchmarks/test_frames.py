"""Frames for the load on a stream."""

import numpy as np
import pytest

from benchmarks.tools.frames import (
    Frames,
    long_records,
    many_records,
    single_messages,
    single_records,
)
from benchmarks.tools.workload import ROW, SESSIONS


@pytest.mark.parametrize(
    "load", [single_records(), single_messages(), many_records(256), long_records(1000)]
)
def test_all_frames_of_a_load_have_one_size(load: Frames) -> None:
    """The client cuts them out of one row of bytes."""
    assert len({len(frame) for frame in load.frames}) == 1
    assert len(load.opening) == SESSIONS


def test_an_echo_opens_no_sessions() -> None:
    load = single_records()
    assert load.to_echo() == Frames(load.frames, load.window, (), "/echo")


def test_a_block_holds_ids_rows_and_handles() -> None:
    (frame,) = many_records(3).frames
    block = frame[6:]
    assert np.frombuffer(block, "<u4", 3, 8).tolist() == [3, 1, 3]
    assert np.frombuffer(block, "<u8", 3, 24).tolist() == [1, 2, 3]
    assert np.frombuffer(block, "<f4", 9, 48).tolist() == np.array(ROW * 3, np.float32).tolist()
    assert np.frombuffer(block, "<u4", 3, 84).tolist() == [1, 2, 3]
