"""Time of one StyleGAN2 picture in PyTorch, to compare with `latent-jockey bench --random RES,BASE,MAX` and with
`cargo bench --bench synthesis -- RES BASE MAX [THREADS]` on the same machine: random weights, batch 1, synthesis only,
skip architecture, noise const. Inputs are scaled by the style and outputs by the demodulation, so that PyTorch runs
ordinary convolutions; written from the paper's formulas.

    python benches/stylegan2.py 256 8192 256 [--threads 2] [--device cuda --half --graph] [--player target/release/latent-jockey]

With --player it also measures ours, right after, and prints how many times faster that is.
"""

import argparse
import math
import os
import re
import subprocess
import time

import torch
import torch.nn.functional as F


class Layer(torch.nn.Module):
    """A styled convolution, [1, I, r, r] to [1, O, r, r], or to twice the size."""

    def __init__(self, inputs, outputs, res, up, half):
        super().__init__()
        self.up = up
        self.dtype = torch.float16 if half and res >= 32 else torch.float32
        weight = torch.randn(outputs, inputs, 3, 3) / math.sqrt(9 * inputs)
        self.register_buffer("squares", weight.square().sum((2, 3)))
        weight = weight.transpose(0, 1) if up else weight
        self.register_buffer("weight", weight.to(self.dtype).contiguous(memory_format=torch.channels_last))
        self.register_buffer("affine", torch.randn(inputs, 512) / math.sqrt(512))
        self.register_buffer("bias", torch.randn(1, outputs, 1, 1).mul(0.1).to(self.dtype))
        self.register_buffer("noise", torch.randn(res, res).mul(0.1).to(self.dtype))
        self.register_buffer("fir", fir(outputs).to(self.dtype))

    def forward(self, x, w):
        style = self.affine @ w + 1
        gain = (self.squares @ style.square() + 1e-8).rsqrt().to(self.dtype).view(1, -1, 1, 1)
        x = x.to(self.dtype) * style.to(self.dtype).view(1, -1, 1, 1)
        if self.up:
            x = F.conv_transpose2d(x, self.weight, stride=2)
            x = F.conv2d(F.pad(x, (1, 1, 1, 1)), self.fir, groups=x.shape[1])
        else:
            x = F.conv2d(x, self.weight, padding=1)
        return F.leaky_relu(x * gain + self.noise + self.bias, 0.2) * math.sqrt(2)


class ToRgb(torch.nn.Module):
    def __init__(self, inputs):
        super().__init__()
        self.register_buffer("weight", torch.randn(3, inputs, 1, 1) / math.sqrt(inputs))
        self.register_buffer("affine", torch.randn(inputs, 512) / math.sqrt(512))
        self.register_buffer("fir", fir(3))

    def forward(self, x, w, below):
        style = (self.affine @ w + 1).to(x.dtype).view(1, -1, 1, 1)
        rgb = F.conv2d(x * style, self.weight.to(x.dtype)).float()
        if below is None:
            return rgb
        return rgb + F.conv_transpose2d(below, self.fir, stride=2, padding=1, groups=3)


class Synthesis(torch.nn.Module):
    def __init__(self, res, base, most, half):
        super().__init__()
        channels = lambda r: min(base // r, most)
        self.register_buffer("const", torch.randn(1, channels(4), 4, 4))
        self.blocks, self.macs = torch.nn.ModuleList(), 0
        for r in (2**i for i in range(2, int(math.log2(res)) + 1)):
            o, layers = channels(r), []
            if r > 4:
                layers.append(Layer(channels(r // 2), o, r, True, half))
                self.macs += 9 * channels(r // 2) * o * (r // 2) ** 2
            layers.append(Layer(o, o, r, False, half))
            self.macs += 9 * o * o * r * r + 3 * o * r * r
            self.blocks.append(torch.nn.ModuleList([*layers, ToRgb(o)]))

    def forward(self, w):
        x, rgb = self.const, None
        for *layers, to_rgb in self.blocks:
            for layer in layers:
                x = layer(x, w)
            rgb = to_rgb(x, w, rgb)
        return rgb


def fir(channels):
    """The smoothing filter 1 3 3 1 along both axes, for up-sampling by two."""
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0])
    return (torch.outer(taps, taps) / 16).expand(channels, 1, 4, 4).contiguous()


def in_a_graph(run):
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        run()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        run()
    return graph.replay


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("res", "base", "most"):
        parser.add_argument(name, type=int)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--half", action="store_true", help="16 bits from 32 pixels on")
    parser.add_argument("--graph", action="store_true", help="one CUDA graph for the whole picture")
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--player", help="a release build of latent-jockey to compare with")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.backends.cudnn.benchmark = True
    network = Synthesis(args.res, args.base, args.most, args.half).to(args.device)
    w = torch.randn(512, device=args.device)
    wait = torch.cuda.synchronize if args.device.startswith("cuda") else lambda: None
    with torch.inference_mode():
        run = lambda: network(w)
        for _ in range(3):
            assert run().shape == (1, 3, args.res, args.res)
        run = in_a_graph(run) if args.graph else run
        wait()
        times, end = [], time.perf_counter() + args.seconds
        while time.perf_counter() < end or len(times) < 3:
            start = time.perf_counter()
            run()
            wait()
            times.append(1000 * (time.perf_counter() - start))
    times.sort()
    median, low, high = (times[min(int(q * len(times)), len(times) - 1)] for q in (0.5, 0.05, 0.95))
    gmac = network.macs / 1e9
    print(
        f"stylegan2 {args.res} {args.base} {args.most} {args.device}: median {median:.2f} ms, 5% {low:.2f}, 95% {high:.2f}, "
        f"{len(times)} pictures; {gmac:.2f} GMAC, {gmac / median * 1000:.1f} GMAC/s"
    )
    if args.player:
        compare(args, median)


def compare(args, theirs):
    """Runs `bench` and prints the ratio for each of its lines: read back, and on the card alone."""
    engine = "cpu" if args.device == "cpu" else "gpu"
    sizes = f"{args.res},{args.base},{args.most}"
    command = [args.player, "bench", "--engine", engine, "--random", sizes, "--seconds", str(args.seconds)]
    environment = {**os.environ, "RAYON_NUM_THREADS": str(args.threads)}
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    for name, median, high in re.findall(r"^(picture|on card) +p50 ([\d.]+) ms +p95 ([\d.]+) ms", said, re.M):
        print(f"latent-jockey {sizes}, {name}: median {median} ms, 95% {high}: {theirs / float(median):.2f} times PyTorch")


if __name__ == "__main__":
    main()
