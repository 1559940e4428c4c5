"""Makes the TorchScript modules of tests/it/torchscript_modules_play.rs in the folder that is named: small generators and effects with
known pictures."""

import sys
from pathlib import Path

import torch
from torch import Tensor, nn


class Generator(nn.Module):
    """z [1, 6] to a picture [1, 3, 16, 24] in -1..1: the first three numbers are the colours, the fourth is a slope along x."""

    def __init__(self):
        super().__init__()
        self.colours = nn.Linear(6, 3, bias=False)
        with torch.no_grad():
            self.colours.weight.copy_(torch.eye(3, 6))

    def forward(self, z: Tensor) -> Tensor:
        x = torch.linspace(-1, 1, 24, device=z.device).view(1, 1, 1, 24).expand(1, 3, 16, 24)
        return torch.tanh(self.colours(z).view(1, 3, 1, 1) + z[:, 3].view(1, 1, 1, 1) * x)


class Conditional(nn.Module):
    """z [1, 5] and one of 4 classes to a grey picture [1, 1, 8, 8] in 0..1: class k is bright in row k."""

    def __init__(self):
        super().__init__()
        self.light = nn.Linear(5, 1)
        self.rows = nn.Linear(4, 8, bias=False)
        with torch.no_grad():
            self.rows.weight.copy_(torch.eye(8, 4))

    def forward(self, z: Tensor, c: Tensor) -> Tensor:
        rows = self.rows(c).view(1, 1, 8, 1).expand(1, 1, 8, 8)
        return 0.5 * rows + 0.5 * torch.sigmoid(self.light(z)).view(1, 1, 1, 1)


class Truncated(nn.Module):
    """A DCGAN's z [1, 7, 1, 1] and psi to [1, 3, 8, 8] in 0..255: psi is the red."""

    def __init__(self):
        super().__init__()
        self.up = nn.ConvTranspose2d(7, 3, 8)

    def forward(self, z: Tensor, truncation_psi: float) -> Tensor:
        x = 255 * torch.sigmoid(self.up(z))
        red = torch.full_like(x[:, :1], 200 * truncation_psi)
        return torch.cat([red, x[:, 1:]], 1)


class Moody(nn.Module):
    """z [1, 6]: throws when its first number is above 2."""

    def __init__(self):
        super().__init__()
        self.colours = nn.Linear(6, 3)

    def forward(self, z: Tensor) -> Tensor:
        if float(z[0, 0]) > 2.0:
            raise ValueError("too much of a good thing")
        return torch.tanh(self.colours(z)).view(1, 3, 1, 1).expand(1, 3, 8, 8) + 0.0 * torch.randn(1, 3, 8, 8)


class Inverse(nn.Module):
    """A picture in 0..1 to its negative."""

    def forward(self, image: Tensor) -> Tensor:
        return 1.0 - image


class Tint(nn.Module):
    """A picture in 0..1, with the share of red, green and blue that three knobs leave."""

    def forward(self, image: Tensor, knobs: Tensor) -> Tensor:
        return image * torch.stack([knobs[0], knobs[1], knobs[2]]).view(1, 3, 1, 1)


class Fussy(nn.Module):
    """An effect that throws when its knob is above 0.9."""

    def forward(self, image: Tensor, knobs: Tensor) -> Tensor:
        if float(knobs[0]) > 0.9:
            raise ValueError("no more than that")
        return 1.0 - image


class Counter(nn.Module):
    """Takes text: nothing that can be played."""

    def forward(self, name: str) -> Tensor:
        return torch.zeros(len(name))


out = Path(sys.argv[1])
torch.manual_seed(1)
for name, module in {
    "plain": Generator(),
    "classes": Conditional(),
    "truncated": Truncated(),
    "moody": Moody(),
    "inverse": Inverse(),
    "tint": Tint(),
    "fussy": Fussy(),
    "counter": Counter(),
}.items():
    torch.jit.script(module).save(str(out / f"{name}.pt"))
torch.jit.trace(Generator(), torch.zeros(1, 6)).save(str(out / "traced.pt"))
torch.export.save(torch.export.export(Generator(), (torch.zeros(1, 6),)), str(out / "exported.pt2"))
