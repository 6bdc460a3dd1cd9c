"""Places sort as positions do, and every place belongs to one position."""

from hypothesis import given
from hypothesis import strategies as st

from service.stores.place import model_prefix, place_of, position_of

NAMES = st.text(st.sampled_from("\x00\x01-aé\uffff\U0001f600"), max_size=4)
POSITIONS = st.tuples(NAMES, NAMES)


@given(POSITIONS)
def test_a_place_tells_its_position(position: tuple[str, str]) -> None:
    assert position_of(place_of(position)) == position


@given(POSITIONS, POSITIONS)
def test_places_sort_as_positions_do(first: tuple[str, str], second: tuple[str, str]) -> None:
    assert (place_of(first) < place_of(second)) == (first < second)
    assert (place_of(first) == place_of(second)) == (first == second)


@given(POSITIONS, NAMES)
def test_a_model_s_places_lie_between_its_bounds(position: tuple[str, str], model: str) -> None:
    first = model_prefix(model)
    assert (first <= place_of(position) < first + b"\xff") == (position[0] == model)
