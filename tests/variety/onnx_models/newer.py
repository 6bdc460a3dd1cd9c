"""Models that the newer of the exporters writes as well: it takes seconds for each."""

from tests.variety.onnx_models.case import Refused

NEWER = frozenset(
    (
        "RMS norm",
        "a GRU through time in each band",
        "a convolution, of each feature alone",
        "a lag of each feature",
        "a random generator's number in a cache",
        "a residual around each layer",
        "a state in and out of whole sequences",
        "a step with a state that nothing hands on",
        "a step with its state",
        "a step without its state",
        "activation GELU",
        "activation Softmax",
        "an LSTM alone",
        "an activation between the padding and the convolution",
        "an unrolled cell",
        "as many features as there are steps",
        "as many numbers at each step as there are steps",
        "as many numbers at the last step as there are steps",
        "batch norm over features",
        "both ways",
        "computed in float64 inside",
        "differences of the first with zero",
        "dropout everywhere",
        "embedding",
        "embedding and probabilities of the next token",
        "every state beside the last one",
        "gate by chunks",
        "gated linear unit",
        "layer norm between layers",
        "no biases",
        "no head",
        "no recurrence",
        "normalised inputs and outputs",
        "one hot tokens",
        "one layer",
        "positions counted by a running sum",
        "positions that stop at 40",
        "teacher forcing",
        "the last step and the one before",
        "the states before beside those after",
        "three layers",
        "tied embedding",
        "two layers beside each other",
        "two tokens a step",
        "weights of float16",
    )
)
INSISTENT = frozenset(
    (
        "an LSTM before the GRU",
        "an LSTM behind the GRU",
        "layers of different widths",
        "mixture of experts",
        "one layer run twice",
        "self attention",
        "time first",
        "time first inside, and the last by its place",
    )
)
"""Of these, torch 2.13 writes the length of its example into a Reshape: no other length runs."""
INSISTS = Refused(("ONNX Runtime cannot run", "Reshape"))
