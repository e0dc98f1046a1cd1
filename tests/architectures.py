"""Small models of many architectures, for the tests of units: each with an example of its input."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812


class LeNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.c1, self.c2 = nn.Conv2d(1, 4, 5, padding=2), nn.Conv2d(4, 6, 5)
        self.f1, self.f2, self.f3 = nn.Linear(150, 12), nn.Linear(12, 8), nn.Linear(8, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.c1(x)), 2)
        x = F.max_pool2d(F.relu(self.c2(x)), 2)
        return self.f3(F.relu(self.f2(F.relu(self.f1(torch.flatten(x, 1))))))


class Block(nn.Module):
    def __init__(self, into: int, out: int, stride: int) -> None:
        super().__init__()
        self.c1, self.b1 = nn.Conv2d(into, out, 3, stride, 1, bias=False), nn.BatchNorm2d(out)
        self.c2, self.b2 = nn.Conv2d(out, out, 3, 1, 1, bias=False), nn.BatchNorm2d(out)
        self.skip = nn.Sequential()
        if stride != 1 or into != out:
            self.skip = nn.Sequential(nn.Conv2d(into, out, 1, stride, bias=False), nn.BatchNorm2d(out))

    def forward(self, x: Tensor) -> Tensor:
        inner = F.relu(self.b1(self.c1(x)), inplace=True)
        inner = self.b2(self.c2(inner))
        inner += self.skip(x)
        return F.relu(inner)


class ResNet18(nn.Module):
    def __init__(self, width: int = 3) -> None:
        super().__init__()
        widths = [width * 2**k for k in range(4)]
        self.stem = nn.Sequential(nn.Conv2d(3, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU())
        blocks = []
        for k, out in enumerate(widths):
            blocks += [Block(widths[max(0, k - 1)], out, 2 if k else 1), Block(out, out, 1)]
        self.blocks, self.head = nn.Sequential(*blocks), nn.Linear(widths[-1], 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(F.adaptive_avg_pool2d(self.blocks(self.stem(x)), 1).flatten(1))


def vgg() -> nn.Module:
    """With a grouped and a depthwise convolution."""
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(inplace=True), nn.Conv2d(8, 12, 3, padding=1, groups=4), nn.ReLU(),
        nn.MaxPool2d(2), nn.Conv2d(12, 12, 3, padding=1, groups=12), nn.ReLU(), nn.Conv2d(12, 6, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(2),
        nn.Flatten(), nn.Dropout(), nn.Linear(24, 7), nn.ReLU(), nn.Linear(7, 4),
    )  # fmt: skip


def conv1d() -> nn.Module:
    return nn.Sequential(
        nn.Conv1d(2, 6, 5, padding=2), nn.GELU(), nn.AvgPool1d(2), nn.Conv1d(6, 5, 3), nn.Tanh(), nn.AdaptiveAvgPool1d(1), nn.Flatten(),
        nn.Linear(5, 3),
    )  # fmt: skip


class UNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.down1, self.down2 = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 6, 3, padding=1)
        self.up, self.mix, self.last = nn.ConvTranspose2d(6, 5, 2, stride=2), nn.Conv2d(9, 4, 3, padding=1), nn.Conv2d(4, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        first = F.relu(self.down1(x))
        low = F.relu(self.down2(F.max_pool2d(first, 2)))
        return self.last(F.relu(self.mix(torch.cat([first, F.relu(self.up(low))], dim=1))))


def encoder() -> nn.Module:
    layer = nn.TransformerEncoderLayer(8, 2, 12, batch_first=True)
    return nn.Sequential(nn.Linear(3, 8), nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), nn.Linear(8, 4))


class RMSNorm(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.rand(width) + 0.5)

    def forward(self, x: Tensor) -> Tensor:
        return self.weight * x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)


class Decoder(nn.Module):
    """Written by hand: token and position tables, causal attention, RMSNorm, a SiLU MLP, the table once more at the end."""

    def __init__(self, width: int = 8, heads: int = 2, tokens: int = 11) -> None:
        super().__init__()
        self.heads = heads
        self.table, self.place = nn.Embedding(tokens, width), nn.Parameter(torch.randn(6, width))
        self.norms = nn.ModuleList(RMSNorm(width) for _ in range(3))
        self.qkv, self.o = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 12), nn.Linear(12, width)

    def forward(self, tokens: Tensor) -> Tensor:
        rows, length = tokens.shape
        x = self.table(tokens) + self.place[:length]
        q, k, v = self.qkv(self.norms[0](x)).view(rows, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
        scores = scores.masked_fill(torch.triu(torch.ones(length, length, dtype=torch.bool), 1), -torch.inf)
        x = x + self.o((scores.softmax(-1) @ v).transpose(1, 2).reshape(rows, length, -1))
        x = x + self.down(F.silu(self.up(self.norms[1](x))))
        return self.norms[2](x) @ self.table.weight.t()


class Mixture(nn.Module):
    """A gated MLP beside a soft mixture of experts, on a residual stream."""

    def __init__(self) -> None:
        super().__init__()
        self.inside, self.router = nn.Linear(4, 6), nn.Linear(6, 3)
        self.gate, self.up, self.down = nn.Linear(6, 7), nn.Linear(6, 7), nn.Linear(7, 6)
        self.first, self.second = nn.Parameter(torch.randn(3, 6, 5)), nn.Parameter(torch.randn(3, 5, 6))
        self.last = nn.Linear(6, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.inside(x)
        x = x + self.down(F.silu(self.gate(x)) * self.up(x))
        each = F.relu(torch.einsum("bi,eij->bej", x, self.first))
        each = torch.einsum("bej,ejk->bek", each, self.second)
        return self.last(x + (self.router(x).softmax(-1).unsqueeze(-1) * each).sum(1))


class LSTM(nn.Module):
    """A cell written by hand, run over three steps."""

    def __init__(self, width: int = 5) -> None:
        super().__init__()
        self.inside, self.again, self.last = nn.Linear(3, 4 * width), nn.Linear(width, 4 * width, bias=False), nn.Linear(width, 2)
        self.width = width

    def forward(self, x: Tensor) -> Tensor:
        h = c = torch.zeros(x.shape[0], self.width)
        for step in range(x.shape[1]):
            i, f, g, o = (self.inside(x[:, step]) + self.again(h)).chunk(4, dim=1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
        return self.last(h)


class Vision(nn.Module):
    """Patches, a class token, and layers that PyTorch has."""

    def __init__(self) -> None:
        super().__init__()
        self.patch, self.token, self.place = nn.Conv2d(1, 8, 4, 4), nn.Parameter(torch.randn(1, 1, 8)), nn.Parameter(torch.randn(1, 5, 8))
        self.layer, self.head = nn.TransformerEncoderLayer(8, 2, 12, batch_first=True, norm_first=True), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], dim=1) + self.place
        return self.head(self.layer(x)[:, 0])


def sigmoids() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 6), nn.Sigmoid(), nn.Linear(6, 5), nn.LayerNorm(5), nn.Softplus(), nn.Linear(5, 2))


def _images(channels: int, size: int) -> Callable[[], Tensor]:
    return lambda: torch.randn(3, channels, size, size)


def _tokens() -> Tensor:
    return torch.randint(0, 11, (3, 6))


ARCHITECTURES: dict[str, tuple[Callable[[], nn.Module], Callable[[], Any]]] = {
    "MLP of sigmoids": (sigmoids, lambda: torch.randn(3, 4)),
    "LeNet": (LeNet, _images(1, 28)),
    "ResNet-18": (ResNet18, _images(3, 12)),
    "VGG, grouped and depthwise": (vgg, _images(3, 12)),
    "1-D convolution": (conv1d, lambda: torch.randn(3, 2, 20)),
    "U-Net": (UNet, _images(1, 8)),
    "TransformerEncoder": (encoder, lambda: torch.randn(3, 7, 3)),
    "decoder by hand": (Decoder, _tokens),
    "mixture of experts": (Mixture, lambda: torch.randn(3, 4)),
    "LSTM cell by hand": (LSTM, lambda: torch.randn(3, 3, 3)),
    "vision transformer": (Vision, _images(1, 8)),
}


def language_models() -> dict[str, tuple[Callable[[], nn.Module], Callable[[], Any]]]:
    """Models of ``transformers``, which must be installed."""
    import transformers as t

    common = {"vocab_size": 11, "attn_implementation": "eager"}
    llama = {**common, "hidden_size": 8, "intermediate_size": 12, "num_hidden_layers": 2, "num_attention_heads": 4, "use_cache": False}

    def gpt2() -> nn.Module:
        ends = {"bos_token_id": 0, "eos_token_id": 0, "use_cache": False}
        return t.GPT2LMHeadModel(t.GPT2Config(n_positions=8, n_embd=8, n_layer=2, n_head=2, **ends, **common))

    def bert() -> nn.Module:
        sizes = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 12}
        return t.BertForSequenceClassification(t.BertConfig(**sizes, **common))

    def of_llama(heads: int) -> Callable[[], nn.Module]:
        return lambda: t.LlamaForCausalLM(t.LlamaConfig(num_key_value_heads=heads, **llama))

    example = lambda: {"input_ids": _tokens()}  # noqa: E731
    return {
        "GPT-2": (gpt2, example),
        "Llama": (of_llama(4), example),
        "Llama, grouped keys": (of_llama(2), example),
        "BERT": (bert, example),
    }
