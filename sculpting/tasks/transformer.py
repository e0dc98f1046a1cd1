"""A small transformer that can be read line by line, for tasks whose structure is known.

S = rows, T = positions, d = residual dimensions, h = heads, e = dimensions of a head, k = outputs.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..checks import check_counts, check_parameter_count, shown

__all__ = ["NORMS", "Attention", "Block", "Transformer"]

EMBEDDING = 0.5  # standard deviation of fresh embeddings
NORMS = {"layer": nn.LayerNorm, "rms": nn.RMSNorm}


class Attention(nn.Module):
    """Multi-head attention of the residual stream to itself.

    Parameters
    ----------
    width : int
        d, which ``heads`` divides.
    heads : int
    causal : bool
        Whether a position sees itself and those before it alone.
    """

    def __init__(self, width: int, heads: int, causal: bool = False) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"width must be a multiple of heads; got width {width} and {heads} heads")
        self.heads, self.causal = heads, causal
        self.q, self.k, self.v, self.o = (nn.Linear(width, width) for _ in range(4))

    def forward(self, stream: Tensor) -> Tensor:
        """What the heads write to the stream ``(S, T, d)``."""
        rows, length, width = stream.shape
        # (S, h, T, e)
        q, k, v = (part(stream).view(rows, length, self.heads, -1).transpose(1, 2) for part in (self.q, self.k, self.v))
        scores = q @ k.transpose(2, 3) / (width // self.heads) ** 0.5
        if self.causal:
            future = torch.ones(length, length, dtype=torch.bool, device=stream.device).triu(1)
            scores = scores.masked_fill(future, float("-inf"))
        return self.o((scores.softmax(dim=3) @ v).transpose(1, 2).reshape(rows, length, width))


class Block(nn.Module):
    """Attention and then neurons; each reads the residual stream, and its output is added to it."""

    def __init__(self, width: int, heads: int, neurons: int, norm: str | None = None, causal: bool = False) -> None:
        super().__init__()
        self.attention = Attention(width, heads, causal)
        self.up, self.down = nn.Linear(width, neurons), nn.Linear(neurons, width)
        self.before_attention, self.before_neurons = (_norm(norm, width) for _ in range(2))

    def forward(self, stream: Tensor) -> Tensor:
        """The residual stream ``(S, T, d)`` after this block."""
        stream = stream + self.attention(self.before_attention(stream))
        return stream + self.down(self.up(self.before_neurons(stream)).relu())


class Transformer(nn.Module):
    """A transformer from tokens ``(S, T)`` to logits ``(S, k)``.

    Parameters
    ----------
    tokens, length, outputs : int
        Different tokens; T; k.
    width, heads, neurons, layers : int
        d; heads and neurons of each layer; layers.
    norm : {"layer", "rms"}, optional
        What each part applies to the stream that it reads: LayerNorm or RMSNorm, without parameters. None for nothing: a norm couples all
        that the stream carries.
    causal : bool
        Whether positions see only themselves and those before.
    every : bool
        Whether all positions are read, so that the outputs are ``(S, T k)``, position after position; else the last position alone.

    Raises
    ------
    ValueError
        When a size is no whole number of at least 1, ``width`` is no multiple of ``heads``, there is no such norm, or the model would have
        more than 100 million weights.

    Examples
    --------
    >>> model = Transformer(tokens=6, length=5, outputs=10)
    >>> model(torch.zeros(2, 5, dtype=torch.int64)).shape
    torch.Size([2, 10])
    """

    def __init__(
        self,
        tokens: int,
        length: int,
        outputs: int,
        *,
        width: int = 32,
        heads: int = 8,
        neurons: int = 64,
        layers: int = 1,
        norm: str | None = None,
        causal: bool = False,
        every: bool = False,
    ) -> None:
        super().__init__()
        sizes = {
            "tokens": tokens,
            "length": length,
            "outputs": outputs,
            "width": width,
            "heads": heads,
            "neurons": neurons,
            "layers": layers,
        }
        check_counts(**sizes)
        check_parameter_count((tokens + length + outputs) * width + layers * (4 * width * width + 2 * width * neurons))
        self.every = every
        self.token, self.position = nn.Embedding(tokens, width), nn.Embedding(length, width)
        self.blocks = nn.ModuleList(Block(width, heads, neurons, norm, causal) for _ in range(layers))
        self.last_norm, self.read = _norm(norm, width), nn.Linear(width, outputs)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the embeddings anew, at half of the usual size: what they write is added up, and pruned networks are small."""
        for embedding in (self.token, self.position):
            nn.init.normal_(embedding.weight, std=EMBEDDING)

    def forward(self, tokens: Tensor) -> Tensor:
        """The logits of rows of tokens."""
        stream = self.token(tokens) + self.position(torch.arange(tokens.shape[1], device=tokens.device))
        for block in self.blocks:
            stream = block(stream)
        read: Tensor = self.read(self.last_norm(stream if self.every else stream[:, -1]))
        return read.flatten(1)


def _norm(norm: str | None, width: int) -> nn.Module:
    if norm is None:
        return nn.Identity()
    if not isinstance(norm, str) or norm not in NORMS:
        raise ValueError(f"norm must be one of {sorted(NORMS)}, or None; got {shown(norm)}")
    return NORMS[norm](width, elementwise_affine=False)
