"""Places sort as positions do, and every place belongs to one tenant, model and id."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.stores.place import bounds_of, parts_of, place_of

NAMES = st.text(st.sampled_from("\x00\x01-aé\uffff\U0001f600"), max_size=4)
PLACES = st.tuples(NAMES, NAMES, NAMES)


@given(PLACES)
def test_a_place_tells_its_parts(parts: tuple[str, str, str]) -> None:
    assert parts_of(place_of(*parts)) == parts


@given(PLACES, PLACES)
def test_places_sort_as_their_parts_do(
    first: tuple[str, str, str], second: tuple[str, str, str]
) -> None:
    assert (place_of(*first) < place_of(*second)) == (first < second)
    assert (place_of(*first) == place_of(*second)) == (first == second)


@given(PLACES, NAMES)
def test_a_tenant_s_places_lie_between_its_bounds(parts: tuple[str, str, str], tenant: str) -> None:
    first, end = bounds_of(tenant, None)
    assert (first <= place_of(*parts) < end) == (parts[0] == tenant)


@given(PLACES, NAMES, NAMES)
def test_a_model_s_places_lie_between_its_bounds(
    parts: tuple[str, str, str], tenant: str, model: str
) -> None:
    first, end = bounds_of(tenant, model)
    assert (first <= place_of(*parts) < end) == (parts[:2] == (tenant, model))


def test_places_without_tenants_stay_what_they_are() -> None:
    """Listings that are stored, and an older release, have them so."""
    assert place_of("", "co2", "s:1") == b"co2\x00s:1"
    assert place_of("", "c\x00o", "\x00") == b"c\x00\xffo\x00\x00"
    assert place_of("t", "co2", "s") == b"\xfet\x00co2\x00s"


@pytest.mark.parametrize(
    "place", [b"", b"co2", b"\xfe", b"\xfet", b"\xfet\x00co2", b"\xfe\x00co2\x00s", b"\xff\x00s"]
)
def test_bytes_that_are_no_place(place: bytes) -> None:
    with pytest.raises(ValueError):
        parts_of(place)
