"""Time of one StyleGAN3 picture in PyTorch on the processor, to compare with `latent-jockey bench --random RES,BASE,MAX
--stylegan3 t|r`: random weights, 14 layers, the way that StyleGAN3's slow path goes (zeros between samples, then filters
over all of them), written from the paper's formulas.

    python benches/stylegan3.py t 256 16384 512 [threads]
"""

import math
import sys
import time

import torch
import torch.nn.functional as F


def geometry(res, base, most, layers=14, critical=2, margin=10):
    rows = []
    for i in range(layers + 1):
        e = min(i / (layers - critical), 1)
        cutoff = 2 * (res / 2 / 2) ** e
        stopband = 2**2.1 * (res / 2 * 2**0.3 / 2**2.1) ** e
        rate = 2 ** math.ceil(math.log2(min(2 * stopband, res)))
        half_width = max(stopband, rate / 2) - cutoff
        size = res if i >= layers - 1 else rate + 2 * margin
        channels = 3 if i == layers else round(min(base / 2 / cutoff, most))
        rows.append((cutoff, half_width, rate, size, channels))
    return rows


def upfirdn(x, f, up=1, down=1, pad=(0, 0), gain=1.0):
    """Zeros after each sample, padding or cropping, filter (a vector along both axes, or a matrix), every down-th sample."""
    n, c, h, w = x.shape
    x = F.pad(x.reshape(n, c, h, 1, w, 1), [0, up - 1, 0, 0, 0, up - 1]).reshape(n, c, h * up, w * up)
    x = F.pad(x, [max(pad[0], 0), max(pad[1], 0)] * 2)
    before, after = max(-pad[0], 0), max(-pad[1], 0)
    x = x[:, :, before : x.shape[2] - after, before : x.shape[3] - after]
    if f.ndim == 2:
        x = F.conv2d(x, (f * gain).expand(c, 1, *f.shape), groups=c)
    else:
        f = f * math.sqrt(gain)
        x = F.conv2d(x, f.view(1, 1, 1, -1).expand(c, 1, 1, -1), groups=c)
        x = F.conv2d(x, f.view(1, 1, -1, 1).expand(c, 1, -1, 1), groups=c)
    return x[:, :, ::down, ::down]


def layer(x, i, rows, config, last):
    cutoff_in, half_in, rate_in, size_in, _ = rows[max(i - 1, 0)]
    _, _, rate, size, channels = rows[i]
    kernel = 3 if config == "t" and i < last else 1
    w = torch.randn(channels, x.shape[1], kernel, kernel)
    s = torch.randn(1, x.shape[1], 1, 1)
    w = w * s / (w * s).square().mean(dim=[1, 2, 3], keepdim=True).sqrt()
    x = F.conv2d(x, w, padding=kernel - 1) + torch.randn(1, channels, 1, 1)
    between = max(rate_in, rate) * (1 if i == last else 2)
    up, down = between // rate_in, between // rate
    if up == down == 1:
        return x.clamp(-256, 256)
    up_taps, down_taps = 6 * up, 6 * down
    total = (size - 1) * down + 1 - (size_in + kernel - 1) * up + up_taps + down_taps - 2
    before = (total + up) // 2
    f_up = torch.ones(up_taps) / up_taps
    radial = config == "r" and i < last - 2
    f_down = torch.ones(down_taps, down_taps) / down_taps**2 if radial else torch.ones(down_taps) / down_taps
    x = upfirdn(x, f_up, up=up, pad=(before, total - before), gain=up**2)
    x = (F.leaky_relu(x, 0.2) * math.sqrt(2)).clamp(-256, 256)
    return upfirdn(x, f_down, down=down)


def picture(rows, config):
    _, _, _, size, channels = rows[0]
    x = torch.randn(1, channels, size, size)
    for i in range(len(rows)):
        x = layer(x, i, rows, config, len(rows) - 1)
    assert x.shape[2] == rows[-1][3], x.shape
    return x


if __name__ == "__main__":
    config, (res, base, most) = sys.argv[1], map(int, sys.argv[2:5])
    torch.set_num_threads(int(sys.argv[5]) if len(sys.argv) > 5 else torch.get_num_threads())
    rows = geometry(res, base, most)
    with torch.inference_mode():
        for _ in range(2):
            wall, cpu = time.perf_counter(), time.process_time()
            picture(rows, config)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            print(f"stylegan3-{config} {res}: {wall:.2f} s, {cpu:.2f} s of processor time", flush=True)
