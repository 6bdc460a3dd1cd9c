"""What a person who has just started the service wants to see."""

import json

from service.edges.v1.examples import example_of
from service.engine.engine import Engine
from service.repository.models import Models


def welcome(url: str, models: Models) -> str:
    """The address, a curl line for each model that works as printed, and where the pictures are."""
    defaults = [models.of(name).default for name in models.names()]
    engines = [engine for engine in defaults if engine is not None]
    lines = [
        f"Gatewise serves {', '.join(models.names())} at {url}",
        "",
        *(f"  {_curl(url, engine)}" for engine in engines),
        "",
        f"  look inside  {url}/",
        f"  API          {url}/docs",
        *(f"  report       {url}/v1/models/{engine.manifest.name}/report" for engine in engines),
    ]
    return "\n".join(lines)


def _curl(url: str, engine: Engine) -> str:
    example = example_of(engine, steps=3)
    body = {
        **({"text": example["text"]} if "text" in example else {"inputs": [example["inputs"]]}),
        "gates": {"steps": "last", "reduce": "mean"},
    }
    # A quote inside the shell's quotes ends them: '\'' puts one in.
    quoted = json.dumps(body, ensure_ascii=False).replace("'", "'\\''")
    return f"curl {url}/v1/models/{engine.manifest.name}/sequences -d '{quoted}'"
