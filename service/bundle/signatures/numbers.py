"""Numbers as JSON has them."""

from typing import Annotated

import numpy as np
from pydantic import Field

FLOAT32_MAX = float(np.finfo(np.float32).max)
Number = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=-FLOAT32_MAX, le=FLOAT32_MAX)]
"""A finite number that float32 can hold. Booleans and strings are not numbers."""

FIRST_FAULT = Field(fail_fast=True)
"""Stop at the first wrong row: a fault in every one of many would cost more than good input."""
