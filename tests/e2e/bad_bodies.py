"""Every bad body that the documentation names: what is sent, and what must be said to it."""

from dataclasses import dataclass

GOOD = "[20, 1000, 0.5]"
DEEP = '{"inputs": ' + "[" * 5000 + "]" * 5000 + "}"
HUGE = "1" + "0" * 400


@dataclass(frozen=True, slots=True)
class Bad:
    """A body and the path that its answer must name."""

    body: str | bytes
    path: str | None
    status: int = 422
    code: str = "invalid_input"


def malformed(body: str | bytes) -> Bad:
    return Bad(body, "$", 400, "malformed_body")


def at(path: str, *bodies: str) -> list[Bad]:
    return [Bad(body, path) for body in bodies]


ANY_BODY = [
    *map(malformed, ["", "{", "[1]", "null", "3", '"text"', '{"inputs": [[1, 2, 3]]} x', DEEP]),
    malformed(b'{"inputs": "\xff"}'),
    *at("$.speed", f'{{"inputs": [{GOOD}], "speed": 1}}'),
]
WEATHER_STEPS = [
    *ANY_BODY,
    *at("$", "{}", f'{{"inputs": [{GOOD}], "text": "a"}}', '{"inputs": null}', '{"gates": true}'),
    *(
        Bad(f'{{"inputs": [{GOOD}, [20, {number}, 0.5]]}}', "$.inputs[1][1]")
        for number in ("NaN", "Infinity", "-Infinity", "1e999", "1e39", "-1e39", HUGE)
    ),
    *(
        Bad(f'{{"inputs": [[{wrong}, 1000, 0.5]]}}', "$.inputs[0][0]")
        for wrong in ("true", '"20"', "null", "[20]", "{}")
    ),
    *at("$.inputs[0]", '{"inputs": [[20, 1000]]}', '{"inputs": [[20, 1000, 0.5, 1]]}'),
    *at("$.inputs[0]", '{"inputs": [[]]}', '{"inputs": [20]}', '{"inputs": [{"a": 1}]}'),
    *at("$.inputs[1]", f'{{"inputs": [{GOOD}, [20, 1000]]}}', f'{{"inputs": [{GOOD}, null]}}'),
    *at("$.inputs", '{"inputs": []}', '{"inputs": 20}', '{"inputs": "20"}', '{"inputs": {"0": 1}}'),
    *at("$.text", '{"text": "a"}', '{"text": 5}'),
]
HORIZONS = [
    *(
        Bad(f'{{"inputs": [{GOOD}], "horizon": {wrong}}}', "$.horizon")
        for wrong in ("0", "-1", "1.5", '"1"', "true", "100001", HUGE)
    ),
    *at("$.future", f'{{"inputs": [{GOOD}], "future": []}}'),
    *at("$.future", f'{{"inputs": [{GOOD}], "horizon": 3, "future": [[1], [1]]}}'),
    *at("$", '{"horizon": 3}'),
    *at("$.inputs[0]", '{"inputs": [[1]], "horizon": 3}'),
]
LETTERS_HORIZONS = at("$.horizon", '{"text": "a", "horizon": 2}', '{"inputs": [1], "horizon": 1}')
LETTERS_STEPS = [
    *(
        Bad(f'{{"inputs": [1, {wrong}]}}', "$.inputs[1]")
        for wrong in ("10", "-1", "1.5", "true", '"a"', "null", "[1]", "NaN", "1e999", HUGE)
    ),
    *at("$.inputs", '{"inputs": []}', '{"inputs": 1}', '{"inputs": "abc"}'),
    *at("$.text[2]", '{"text": "abX"}', '{"text": "ab\\u0000"}'),
    *at("$.text", '{"text": ""}', '{"text": 5}', '{"text": ["a"]}'),
    *at("$", '{"text": "a", "inputs": [1]}', '{"text": null}'),
]
GATES = [
    Bad(f'{{"inputs": [{GOOD}], "gates": {gates}}}', path)
    for gates, path in {
        '{"include": ["reset", "forget"]}': "$.gates.include[1]",
        '{"include": []}': "$.gates.include",
        '{"include": "reset"}': "$.gates.include",
        '{"layers": [0, 1]}': "$.gates.layers[1]",
        '{"layers": [-1]}': "$.gates.layers[0]",
        '{"layers": ["0"]}': "$.gates.layers[0]",
        '{"layers": [true]}': "$.gates.layers[0]",
        '{"layers": []}': "$.gates.layers",
        '{"layers": 0}': "$.gates.layers",
        '{"units": [5, 6]}': "$.gates.units[1]",
        '{"units": [0.5]}': "$.gates.units[0]",
        '{"units": []}': "$.gates.units",
        '{"units": [1, 1]}': "$.gates.units",
        '{"layers": [0, 0]}': "$.gates.layers",
        '{"include": ["reset", "reset"]}': "$.gates.include",
        '{"steps": "first"}': "$.gates.steps",
        '{"reduce": "max"}': "$.gates.reduce",
        '{"colour": "red"}': "$.gates.colour",
        '"all"': "$.gates",
        "1": "$.gates",
        "[]": "$.gates",
    }.items()
]
ZEROS = "[0, 0, 0, 0, 0, 0]"
STATES = [
    malformed("{"),
    *at("$.state", '{"step": 1, "state": [0]}', '{"step": 1, "state": []}', '{"step": 1}'),
    *at("$.state", f'{{"step": 1, "state": [0, {ZEROS[1:]}}}', '{"step": 1, "state": "zeros"}'),
    *at("$.step", f'{{"state": {ZEROS}}}'),
    *(
        Bad(f'{{"step": {wrong}, "state": {ZEROS}}}', "$.step")
        for wrong in ("-1", "1.5", '"1"', "true", "null", "NaN", str(2**53), HUGE)
    ),
    *(
        Bad(f'{{"step": 1, "state": [0, 0, 0, 0, 0, {wrong}]}}', "$.state[5]")
        for wrong in (
            "NaN",
            "-Infinity",
            "1e999",
            "1e39",
            "1.1e6",
            "true",
            '"0"',
            "null",
            "[]",
            HUGE,
        )
    ),
    *at("$.name", f'{{"step": 1, "state": {ZEROS}, "name": 1}}'),
]
SESSIONS = [
    malformed("{"),
    *at("$.model", "{}", '{"model": 5}', '{"model": null}'),
    Bad('{"model": "nobody"}', None, 404, "model_not_found"),
    Bad('{"model": "weather", "version": 2}', None, 404, "version_not_found"),
    *(
        Bad(f'{{"model": "weather", "version": {wrong}}}', "$.version")
        for wrong in ("0", "-1", "1.0", '"1"', "true", "1e300")
    ),
    *(
        Bad(f'{{"model": "weather", "session_id": {wrong}}}', "$.session_id")
        for wrong in (
            '""',
            '"a b"',
            '"a/b"',
            '"ä"',
            '"a\\n"',
            f'"{"x" * 129}"',
            '".."',
            "5",
            "true",
        )
    ),
    *(
        Bad(f'{{"model": "weather", "ttl_seconds": {wrong}}}', "$.ttl_seconds")
        for wrong in ("0", "-1", '"5"', "NaN", "Infinity", "1e12", "true")
    ),
    *at("$.state", '{"model": "weather", "state": [0]}', '{"model": "weather", "state": 0}'),
    *at("$.state[0]", '{"model": "weather", "state": [NaN, 0, 0, 0, 0, 0]}'),
    *at("$.state[0]", '{"model": "weather", "state": [1e39, 0, 0, 0, 0, 0]}'),
    *at("$.colour", '{"model": "weather", "colour": "red"}'),
]
ROLLOUTS = [
    malformed("{"),
    *at("$.steps", f'{{"inputs": [{GOOD}]}}'),
    *at("$", f'{{"inputs": [{GOOD}], "text": "a", "steps": 1}}'),
    *at("$.future", f'{{"inputs": [{GOOD}], "steps": 1, "future": []}}'),
    *at("$.inputs", '{"inputs": [], "steps": 1}'),
    *at("$.inputs[0]", '{"inputs": [[1]], "steps": 1}'),
    *(
        Bad(f'{{"inputs": [{GOOD}], "steps": {wrong}}}', "$.steps")
        for wrong in ("0", "-1", "1.5", '"1"', "true", "null", "100001", HUGE)
    ),
    *(
        Bad(f'{{"inputs": [{GOOD}], "steps": 1, "{field}": {value}}}', f"$.{field}")
        for field, value in {
            "temperature": "1",
            "top_k": "3",
            "seed": "1",
            "stop": '["a"]',
            "advance": '"no"',
            "at": "-1",
            "colour": "1",
        }.items()
    ),
    *at("$.gates.layers[0]", f'{{"inputs": [{GOOD}], "steps": 1, "gates": {{"layers": [1]}}}}'),
]
LETTERS_ROLLOUTS = [
    *(
        Bad(f'{{"text": "a", "steps": 1, "temperature": {wrong}}}', "$.temperature")
        for wrong in ("-0.1", "NaN", "Infinity", '"1"', "101", "true")
    ),
    *(
        Bad(f'{{"text": "a", "steps": 1, "{field}": {wrong}}}', f"$.{field}")
        for field in ("top_k", "seed")
        for wrong in ("-1", "1.5", '"1"', "true", HUGE)
        if (field, wrong) != ("top_k", HUGE)
    ),
    *at("$.top_k", '{"text": "a", "steps": 1, "top_k": 0}'),
    *at("$.stop", '{"text": "a", "steps": 1, "stop": "b"}'),
    *at("$.stop[0]", '{"text": "a", "steps": 1, "stop": [""]}'),
    *at("$.stop[1][1]", '{"text": "a", "steps": 1, "stop": ["b", "bX"]}'),
    *at("$.text[1]", '{"text": "aX", "steps": 1}'),
]
FORKS = [
    malformed("{"),
    *at("$.model", '{"model": "weather"}'),
    *at("$.session_id", '{"session_id": "a/b"}', '{"session_id": 5}'),
    *at("$.ttl_seconds", '{"ttl_seconds": 1e-300}', '{"ttl_seconds": 0}', '{"ttl_seconds": "1"}'),
    *at("$.metadata", '{"metadata": [1]}', '{"metadata": "a"}', '{"metadata": {"a": NaN}}'),
]
MIGRATIONS = [
    malformed("{"),
    *at("$.version", '{"version": 0}', '{"version": "1"}', '{"version": 1.5}', '{"version": true}'),
    *at("$.colour", '{"colour": 1}'),
    *at("$.version", f'{{"version": {2**53}}}', f'{{"version": {10**400}}}'),
    Bad('{"version": 9}', None, 404, "version_not_found"),
    Bad(f'{{"version": {2**53 - 1}}}', None, 404, "version_not_found"),
]
WEATHER_SEQUENCES = [
    *ANY_BODY,
    *at("$", "{}", f'{{"inputs": [[{GOOD}]], "text": "a"}}'),
    *at("$.inputs", '{"inputs": []}', '{"inputs": 1}'),
    *at("$.inputs[0]", '{"inputs": [1]}', '{"inputs": [{}]}', '{"inputs": ["abc"]}'),
    *at("$.inputs[1]", f'{{"inputs": [[{GOOD}], []]}}'),
    *at("$.inputs[1][0]", f'{{"inputs": [[{GOOD}], [[20, 1000]]]}}'),
    *at("$.inputs[1][0][2]", f'{{"inputs": [[{GOOD}], [[20, 1000, NaN]]]}}'),
    *at(
        "$.initial_states",
        f'{{"inputs": [[{GOOD}]], "initial_states": []}}',
        f'{{"inputs": [[{GOOD}]], "initial_states": [{ZEROS}, {ZEROS}]}}',
        f'{{"inputs": [[{GOOD}]], "initial_states": 0}}',
    ),
    *at("$.initial_states[0]", f'{{"inputs": [[{GOOD}]], "initial_states": [[0]]}}'),
    *at("$.initial_states[0][0]", f'{{"inputs": [[{GOOD}]], "initial_states": [[NaN]]}}'),
    *at("$.gates.layers[0]", f'{{"inputs": [[{GOOD}]], "gates": {{"layers": [1]}}}}'),
    *at("$.text", '{"text": "a"}'),
]
LETTERS_SEQUENCES = [
    *at("$.inputs[1][0]", '{"inputs": [[1], [10]]}'),
    *at("$.text", '{"text": ""}'),
    *at("$.text[1]", '{"text": ["a", ""]}'),
    *at("$.text[1][0]", '{"text": ["a", "X"]}'),
]
UNION_PATHS = [
    *at("$.text", '{"text": []}', '{"text": 5}'),
    *at("$.text[1]", '{"text": ["a", 5]}'),
]
