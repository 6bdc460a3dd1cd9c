"""Character models without a network, as `tasks/characters.py` asks for them."""

import numpy as np

from model_export.baselines.tokens import Tokens, bits, token_models
from model_export.data.source import Split


def ngram_bits(train: Tokens, validation: Tokens, test: Tokens, size: int) -> dict[str, float]:
    """Mean bits per token that each baseline needs for test[2:]; all parts are ids below `size`.

    test[:2] are the last tokens of the validation part.
    """
    tokens = np.concatenate([train, validation, test[2:]])
    split = Split(len(train), len(train) + len(validation), len(tokens))
    models = token_models(tokens, split, size)
    return {one.name: float(bits(one.predict(tokens, split.validation))) for one in models}
