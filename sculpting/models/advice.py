"""What to do about a call that cannot be read, by its function."""

from __future__ import annotations

from ..activations import ACTIVATIONS

__all__ = ["advice_for"]

_BY_ADVICE: dict[str, tuple[str, ...]] = {
    "Use nn.LeakyReLU(), of slope 0.01, the nearest one": ("leaky_relu", "prelu", "rrelu"),
    "Use nn.ELU(), of alpha 1, the nearest one": ("elu", "celu"),
    "Use nn.GELU(), the nearest one": ("gelu",),
    "Use nn.SiLU(), the nearest one": ("glu",),
    "Use nn.Softplus(), of beta 1, the nearest one": ("softplus", "exp", "log1p", "logaddexp"),
    "Use nn.ReLU(), the nearest one": ("threshold", "max", "maximum", "square", "pow", "abs", "hardshrink", "where"),
    "Use nn.Hardtanh(0, 1), nn.Hardtanh() or nn.ReLU6(), the nearest ones": ("hardtanh", "clamp", "clip", "clamp_min", "clamp_max", "min"),
    "Use nn.Tanh(), the nearest one": ("sin", "cos", "atan", "arctan", "erf", "tanhshrink", "softshrink"),
    "Use nn.BatchNorm1d, which folds into the Linear layer beside it, or remove it": ("layer_norm", "group_norm", "rms_norm", "normalize"),
    "Use nn.BatchNorm1d with running statistics, or remove it": ("batch_norm", "instance_norm"),
    "Keep a statistic of the training data in a buffer instead": ("mean", "std", "var", "sum", "norm", "amax", "amin"),
    "Let it be over dimension 1, at the end of the model": ("softmax", "log_softmax"),
    "Return the logits instead": ("argmax", "sign", "round", "topk", "log", "gumbel_softmax"),
    "Use nn.ReLU() for a threshold, or return the logits": ("gt", "ge", "lt", "le", "eq", "ne"),
    "Write it as an nn.Linear": ("einsum", "bmm", "t", "T", "mT", "transpose", "permute", "tensordot", "bilinear", "movedim"),
    "Choose columns of the data or of the targets instead": (
        "getitem", "setitem", "select", "index_select", "gather", "narrow", "chunk", "split",
    ),
    "Apply the layers to all rows at once": ("unbind", "vmap"),
    "Give the model one column for each category instead": ("embedding", "one_hot", "long", "int"),
    "Draw noise only where self.training is true": ("randn_like", "rand_like", "bernoulli", "normal"),
    "Sculpt the Linear layers alone, on the features that they get": (
        "conv1d", "conv2d", "conv3d", "max_pool1d", "max_pool2d", "avg_pool1d", "avg_pool2d", "adaptive_avg_pool1d", "adaptive_avg_pool2d",
        "lstm", "gru", "rnn_tanh", "multi_head_attention_forward", "scaled_dot_product_attention",
    ),
}  # fmt: skip
_ADVICE = {function: advice for advice, functions in _BY_ADVICE.items() for function in functions}


def advice_for(function: str) -> str:
    """One sentence about a function of PyTorch that cannot be read.

    Examples
    --------
    >>> advice_for("argmax")
    'Return the logits instead'
    """
    known = ", ".join(sorted(ACTIVATIONS))
    usual = f"Supported: Linear, BatchNorm1d, Flatten, Dropout, arithmetic with constants, and the activations {known}"
    return _ADVICE.get(function, usual)
