"""How many frames a second the inspector draws while the cursor moves over 512 units × 2,000 steps.

    python -m benchmarks.scrubbing [UNITS] [STEPS]

A real Chromium without a graphics card; the model has random weights. Frames are timed by
requestAnimationFrame while keys and the mouse move the cursor once a frame.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import numpy as np
from playwright.sync_api import Page, sync_playwright

from model_export.package import publish_trained
from tests.bundles import values_model
from tests.service_process import running_service
from tests.system_programs import required

MOVES = 300
# One key or movement a frame, as fast as the screen would show them.
_SCRUB = """async ([canvas, moves, kind]) => {
    const times = [];
    const box = canvas.getBoundingClientRect();
    const left = Math.max(box.left, 0), width = Math.min(box.right, innerWidth) - left;
    canvas.focus({preventScroll: true});
    for (let move = 0; move < moves; move += 1) {
        const time = await new Promise(requestAnimationFrame);
        times.push(time);
        if (kind === "keys") {
            const key = move % 3 === 2 ? "ArrowDown" : "ArrowRight";
            const options = {key, bubbles: true, cancelable: true};
            canvas.dispatchEvent(new KeyboardEvent("keydown", options));
        } else {
            const clientX = left + (width * move) / moves;
            const clientY = box.top + 100 + 60 * Math.sin(move / 20);
            const options = {clientX, clientY, bubbles: true};
            canvas.dispatchEvent(new PointerEvent("pointermove", options));
        }
    }
    return times.slice(1).map((time, index) => time - times[index]);
}"""


def main(units: int = 512, steps: int = 2000) -> None:
    with TemporaryDirectory() as folder:
        repository = Path(folder) / "models"
        publish_trained(values_model("wide", hidden_sizes=(units,)), repository)
        with running_service(repository, "memory://", Path(folder) / "log") as service:
            address = f"{service.url}/?trace={_trace(service.url, steps)}"
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(
                    executable_path=required("chromium"), args=["--no-sandbox", "--disable-gpu"]
                )
                page = browser.new_page(viewport={"width": 1280, "height": 900})
                page.goto(address)
                measure(page)
                browser.close()


def _trace(url: str, steps: int) -> str:
    random = np.random.default_rng(1)
    rows = random.normal((20, 1000, 0.5), (5, 10, 0.2), (steps, 3)).round(3).tolist()
    answer = httpx.post(f"{url}/v1/traces", json={"model": "wide", "inputs": rows}, timeout=60)
    trace_id: str = answer.raise_for_status().json()["trace_id"]
    return trace_id


def measure(page: Page) -> None:
    """Print the frames of each way to move the cursor, on a map whose steps all can be seen."""
    page.wait_for_selector("#finding[aria-busy=false]", state="attached")
    page.click("#zoom-fit")
    canvas = page.locator('.heat-map[data-gate="update"]')
    canvas.scroll_into_view_if_needed()
    page.wait_for_function("canvas => canvas.ariaBusy === 'false'", arg=canvas.element_handle())
    for kind in ("keys", "mouse"):
        _report(kind, page.evaluate(_SCRUB, [canvas.element_handle(), MOVES, kind]))


def _report(kind: str, times: Sequence[float]) -> None:
    milliseconds = np.array(times)
    median, late = np.median(milliseconds), np.quantile(milliseconds, 0.95)
    print(
        f"{kind}: {1000 / milliseconds.mean():.0f} frames a second; "
        f"a frame takes {median:.1f} ms (median), {late:.1f} ms (95 %)"
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
