"""Maps of units built by hand: a multilayer perceptron, a small convolutional network and a block of attention."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sculpting.models.groups import UnitLayer, UnitMap, Use


def layered(sizes: dict[str, tuple[str, int]]) -> tuple[tuple[UnitLayer, ...], dict[str, Tensor]]:
    """Layers of units numbered through, and the numbers of each."""
    layers, first = [], 0
    for name, (kind, size) in sizes.items():
        layers.append(UnitLayer(name, kind, first, size))
        first += size
    return tuple(layers), {layer.name: torch.tensor(layer.units) for layer in layers}


def mapped(model: nn.Module, sizes: dict[str, tuple[str, int]], uses: list[tuple[str, str, Tensor | None, Tensor | None]]) -> UnitMap:
    layers, _ = layered(sizes)
    removable = torch.tensor([layer.kind not in ("input", "output") for layer in layers for _ in layer.units])
    shapes = {name: tuple(part.shape) for name, part in (*model.named_parameters(), *model.named_buffers())}
    whole = torch.ones_like(removable)
    return UnitMap(layers, tuple(Use(*use) for use in uses), shapes, removable, zero=whole, mixed=~whole, free={})


def map_of_mlp(model: nn.Sequential) -> UnitMap:
    linears = [(name, part) for name, part in model.named_children() if isinstance(part, nn.Linear)]
    sizes = {"input": ("input", linears[0][1].in_features)}
    sizes |= {name: ("neuron", part.out_features) for name, part in linears[:-1]}
    sizes["output"] = ("output", linears[-1][1].out_features)
    _, units = layered(sizes)
    uses, numbers = [], [*units.values()]
    for (name, _), source, target in zip(linears, numbers, numbers[1:], strict=False):
        uses += [(f"{name}.weight", "dense", source[None], target[:, None]), (f"{name}.bias", "bias", None, target)]
    return mapped(model, sizes, uses)


class SmallCNN(nn.Module):
    """Two convolutions with batch norm and dropout, and a linear layer on 6 x 6 images."""

    def __init__(self, channels: int = 4, classes: int = 3, p: float = 0.2) -> None:
        super().__init__()
        self.first, self.norm = nn.Conv2d(1, channels, 3, padding=1), nn.BatchNorm2d(channels)
        self.second, self.out = nn.Conv2d(channels, channels, 3, padding=1, stride=2), nn.Linear(9 * channels, classes)
        self.dropout = nn.Dropout(p)

    def forward(self, x: Tensor) -> Tensor:
        hidden = torch.relu(self.norm(self.first(x)))
        return self.out(self.dropout(torch.relu(self.second(hidden)).flatten(1)))


def map_of_cnn(model: SmallCNN) -> UnitMap:
    channels, classes = model.first.out_channels, model.out.out_features
    sizes = {"input": ("input", 1), "first": ("channel", channels), "second": ("channel", channels), "out": ("output", classes)}
    _, units = layered(sizes)
    first, second, out = units["first"], units["second"], units["out"]
    uses = [
        ("first.weight", "conv", units["input"].view(1, -1, 1, 1), first.view(-1, 1, 1, 1)),
        ("first.bias", "bias", None, first),
        ("norm.weight", "scale", None, first),
        ("norm.bias", "bias", None, first),
        ("norm.running_mean", "bias", None, first),
        ("norm.running_var", "statistic", None, first),
        ("second.weight", "conv", first.view(1, -1, 1, 1), second.view(-1, 1, 1, 1)),
        ("second.bias", "bias", None, second),
        ("out.weight", "dense", second.repeat_interleave(9)[None], out[:, None]),
        ("out.bias", "bias", None, out),
    ]
    return mapped(model, sizes, uses)


class SmallTransformer(nn.Module):
    """One block of attention and one of neurons on a residual stream without norms; the last position answers."""

    def __init__(self, tokens: int = 6, length: int = 4, width: int = 8, heads: int = 2, neurons: int = 12, classes: int = 3) -> None:
        super().__init__()
        self.heads = heads
        self.embedding, self.position = nn.Embedding(tokens, width), nn.Parameter(torch.randn(length, width) / 4)
        self.q, self.k, self.v, self.o = (nn.Linear(width, width) for _ in range(4))
        self.up, self.down, self.out = nn.Linear(width, neurons), nn.Linear(neurons, width), nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        stream = self.embedding(x) + self.position
        q, k, v = (part(stream).unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in (self.q, self.k, self.v))
        dropped = nn.functional.dropout(torch.softmax(q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5, dim=-1), 0.1, self.training)
        stream = stream + self.o((dropped @ v).transpose(1, 2).flatten(2))
        stream = stream + self.down(torch.relu(self.up(stream)))
        return self.out(stream[:, -1])


def map_of_transformer(model: SmallTransformer) -> UnitMap:
    width, neurons, classes = model.q.in_features, model.up.out_features, model.out.out_features
    sizes = {"stream": ("residual", width), "qk": ("query-key", width), "v": ("value", width), "up": ("neuron", neurons)}
    sizes["out"] = ("output", classes)
    _, units = layered(sizes)
    stream = units["stream"]
    uses = [("embedding.weight", "embedding", None, stream[None]), ("position", "embedding", None, stream[None])]
    pairs = {"q": "qk", "k": "qk", "v": "v", "up": "up", "out": "out"}
    for name, target in pairs.items():
        uses += [(f"{name}.weight", "dense", stream[None], units[target][:, None]), (f"{name}.bias", "bias", None, units[target])]
    for name, source in (("o", "v"), ("down", "up")):
        uses += [(f"{name}.weight", "dense", units[source][None], stream[:, None]), (f"{name}.bias", "bias", None, stream)]
    return mapped(model, sizes, uses)
