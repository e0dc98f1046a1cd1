"""A small convolutional network for tasks of images whose structure is known.

S = rows, C = channels, k = outputs.
"""

from __future__ import annotations

from torch import Tensor, nn

from ..checks import check_counts, check_parameter_count, shown

__all__ = ["ConvolutionalNetwork"]


class ConvolutionalNetwork(nn.Module):
    """Two convolutions and two linear layers, from images ``(S, C, height, width)`` to logits ``(S, k)``.

    Parameters
    ----------
    inputs, outputs : int
        C; k.
    channels : (int, int)
        Of the two convolutions, each of 3 x 3 pixels.
    hidden : int
        Units of the first linear layer.

    Raises
    ------
    ValueError
        When a size is no whole number of at least 1, or the network would have more than 100 million weights.

    Notes
    -----
    The second convolution sees the image at half of its size, and each of its channels passes on its largest value over all places. A
    channel is then one unit everywhere, so that the graph of units has an edge for each kernel, and one for each channel and hidden unit.

    Examples
    --------
    >>> import torch
    >>> ConvolutionalNetwork(inputs=2, outputs=20)(torch.zeros(3, 2, 8, 8)).shape
    torch.Size([3, 20])
    """

    def __init__(self, inputs: int, outputs: int, *, channels: tuple[int, int] = (12, 24), hidden: int = 24) -> None:
        super().__init__()
        pair = isinstance(channels, (tuple, list)) and len(channels) == 2
        if not pair:
            raise ValueError(f"channels must be two whole numbers, such as (12, 24); got {shown(channels)}")
        first, second = channels
        check_counts(inputs=inputs, outputs=outputs, hidden=hidden, channels=first)
        check_counts(channels=second)
        check_parameter_count(9 * (inputs * first + first * second) + second * hidden + hidden * outputs)
        self.conv1, self.conv2 = nn.Conv2d(inputs, channels[0], 3, padding=1), nn.Conv2d(channels[0], channels[1], 3)
        self.linear1, self.linear2 = nn.Linear(channels[1], hidden), nn.Linear(hidden, outputs)
        self.pool = nn.MaxPool2d(2)

    def forward(self, images: Tensor) -> Tensor:
        """The logits of rows of images.

        Raises
        ------
        ValueError
            When the images are too small for the second convolution.
        """
        if min(images.shape[2:]) < 6:
            raise ValueError(f"images must be at least 6 pixels high and wide; got {images.shape[2]} x {images.shape[3]}")
        found = self.pool(self.conv1(images).relu())
        found = self.conv2(found).relu().amax(dim=(2, 3))
        logits: Tensor = self.linear2(self.linear1(found).relu())
        return logits
