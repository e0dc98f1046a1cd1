"""Rules for convolutions, pooling and embeddings."""

from __future__ import annotations

from typing import Any

from .contraction import LOST
from .shadow import Shadow, narrowed, vector_along
from .trace import Call, Rule, Trace

__all__ = ["CONVOLUTION", "POOLING"]


def convolution(trace: Trace, call: Call) -> Shadow:
    """New channels, which read those of the input in their group."""
    x, weight, bias = call.args[0], call.args[1], call.argument(2, "bias")
    backwards = "transpose" in call.name
    groups = int(call.argument(6, "groups", 1))
    if len(weight.elements) != 1:
        raise call.error(
            "its weight is no single parameter", "Remove the parametrization with torch.nn.utils.parametrize.remove_parametrizations"
        )
    if x.nodes is None and x.statistic:
        raise call.error(LOST, "Write the sum as an nn.Linear")
    name = next(iter(weight.elements))
    channels, spatial = call.shape[1], len(weight.shape) - 2
    target = trace.new(call, channels, name=name.rpartition(".")[0] or name)
    source = None if x.nodes is None else trace.read(x, vector_along(x.nodes, 1))
    ones = (1,) * spatial
    if backwards:  # weights (in, out / groups, ...)
        into, out = weight.shape[0], channels // groups
        written = target.view(groups, 1, out).expand(groups, into // groups, out).reshape(into, out, *ones)
        read = None if source is None else source.view(into, 1, *ones)
    else:  # weights (out, in / groups, ...)
        into = weight.shape[1]
        written = target.view(channels, 1, *ones)
        read = (
            None if source is None else source.view(groups, 1, into).expand(groups, channels // groups, into).reshape(channels, into, *ones)
        )
        if read is not None and groups == 1:
            read = read[:1]
    trace.use("conv", weight.elements, read, written)
    if bias is not None and bias.elements:
        trace.use("bias", bias.elements, None, target)
    return Shadow(call.shape, target.view(1, -1, *ones).expand(call.shape))


def pooled(trace: Trace, call: Call) -> Any:
    """Pooling and resizing over positions: channels stay."""
    x = call.shadows[0]
    found = call.node.meta["val"]
    shape = found[0].shape if isinstance(found, (tuple, list)) else found.shape
    assert x.nodes is not None
    nodes = narrowed(x.nodes, range(2, len(x.shape))).expand(shape)
    pooled_shadow = Shadow(shape, nodes, zero=x.zero)
    return [pooled_shadow, *(Shadow(part.shape) for part in found[1:])] if isinstance(found, (tuple, list)) else pooled_shadow


def embedding(trace: Trace, call: Call) -> Shadow:
    """New units, written by the row of each token."""
    weight, index = call.args[:2]
    if index.nodes is not None:
        raise call.error("its index depends on units", "Give tokens as integers")
    if not weight.elements:
        raise call.error("its table is no parameter", "Use nn.Embedding")
    name = next(iter(weight.elements))
    target = trace.new(call, call.shape[-1], name=name.rpartition(".")[0] or name)
    trace.use("embedding", weight.elements, None, target.view(1, -1))
    return Shadow(call.shape, target.expand(call.shape))


CONVOLUTION: dict[str, Rule] = {
    **dict.fromkeys(("conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d"), convolution),
    "embedding": embedding,
}
POOLING: dict[str, Rule] = dict.fromkeys(
    (
        "max_pool1d", "max_pool2d", "max_pool3d", "max_pool2d_with_indices", "avg_pool1d", "avg_pool2d", "avg_pool3d",
        "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "adaptive_max_pool1d", "adaptive_max_pool2d",
        "_adaptive_avg_pool2d", "upsample_nearest1d", "upsample_nearest2d", "upsample_bilinear2d", "upsample_linear1d",
        "upsample_bicubic2d",
    ),
    pooled,
)  # fmt: skip
