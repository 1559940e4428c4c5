#!/usr/bin/env python3
"""Projected GAN for small budgets: the generator of sg2.py against light heads on frozen SqueezeNet features.

Features of a trained classifier make the discriminator's job easy from the first step, so a small network
learns from far fewer pictures than with a discriminator trained from nothing (the idea of "Projected GANs
Converge Faster", Sauer et al. 2021; written from the paper: random fixed cross-channel and cross-scale mixing
of multi-scale features, hinge loss, one head per scale).  Runs on a CPU or a GPU, is resumable, and writes
state.pt, ema.safetensors, best.safetensors (the lowest distance) and grids of samples.
"""
import argparse
import copy
import json
import math
import os
import time

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors.torch import load_file

import sg2
import squeezenet


class Projector(nn.Module):
    """picture in -1..1 -> three mixed feature maps; everything here is frozen"""

    def __init__(self, path, size, widths=(64, 96, 128)):
        super().__init__()
        features = squeezenet.layers(path)
        self.scale1, self.scale2, self.scale3 = features[:5], features[5:8], features[8:]
        self.size = size
        generator = torch.Generator().manual_seed(1)

        def random_mix(channels_in, channels_out, kernel):
            mix = nn.Conv2d(channels_in, channels_out, kernel, padding=kernel // 2, bias=False)
            weight = torch.randn(channels_out, channels_in, kernel, kernel, generator=generator)
            mix.weight.data = weight * math.sqrt(2 / (channels_in * kernel * kernel))
            return mix
        a, b, c = widths
        self.channels1, self.channels2, self.channels3 = random_mix(128, a, 1), random_mix(256, b, 1), random_mix(512, c, 1)
        self.merge2, self.merge1 = random_mix(b + c, b, 3), random_mix(a + b, a, 3)
        self.requires_grad_(False)

    def forward(self, x):
        def resize(y, shape):
            return F.interpolate(y, size=shape, mode='bilinear', align_corners=False)
        if x.shape[2] != self.size:
            x = resize(x, (self.size, self.size))
        f1 = self.scale1(squeezenet.network_input(x * 127.5 + 127.5))
        f2 = self.scale2(f1)
        f3 = self.scale3(f2)
        f1, f2, f3 = f1 / 60, f2 / 60, f3 / 20  # the scales differ by orders of magnitude: bring each near unit variance
        p3 = self.channels3(f3)
        p2 = self.merge2(torch.cat([self.channels2(f2), resize(p3, f2.shape[2:])], 1))
        p1 = self.merge1(torch.cat([self.channels1(f1), resize(p2, f1.shape[2:])], 1))
        return p1, p2, p3


class Head(nn.Module):
    """one scale: strided convolutions down to about 4x4, then a map of scores; with classes, a class projection"""

    def __init__(self, channels, size, classes, width=96):
        super().__init__()
        norm = nn.utils.parametrizations.spectral_norm
        layers = []
        while size > 7:
            layers += [norm(nn.Conv2d(channels, width, 4, 2, 1)), nn.LeakyReLU(.2)]
            channels, size = width, size // 2
        layers += [norm(nn.Conv2d(channels, width, 3, 1, 1)), nn.LeakyReLU(.2)]
        self.body = nn.Sequential(*layers)
        self.out = norm(nn.Conv2d(width + 1, 1, 3, 1, 1))
        self.embed = norm(nn.Linear(classes, width, bias=False)) if classes else None

    def forward(self, x, c):
        h = self.body(x)
        n, channels, height, width = h.shape
        group = 4 if n % 4 == 0 else 1
        # one extra map: how much the pictures of a group differ, to reveal mode collapse
        spread = h.reshape(group, n // group, channels, height, width).float().var(0, unbiased=False).add(1e-8).sqrt()
        spread = spread.mean((1, 2, 3)).to(h.dtype).repeat(group)[:, None, None, None].expand(n, 1, height, width)
        y = self.out(torch.cat([h, spread], 1))
        if self.embed is not None:
            y = y + (h * self.embed(c)[:, :, None, None]).sum(1, keepdim=True) / math.sqrt(channels)
        return y.flatten(1)


def start_from(path, resolution, G, heads, average, device):
    """Take over what fits: from state.pt of an earlier run (generator, average, heads), or from an exported file.

    -> pictures seen by the run that is taken over
    """
    if path.endswith('.pt'):
        state = torch.load(path, map_location=device, weights_only=True)
        sources, seen = ((G, state['G']), (average, state['E']), (heads, state['H'])), state['seen']
    else:
        weights = load_file(path)
        sources, seen = ((G, weights), (average, weights)), int(sg2.read_metadata(path).get('images', 0))
    top = f'synthesis.b{resolution}.torgb.weight'
    grown = top not in sources[0][1]
    print('taken over:', *(sg2.load_matching(net, weights) for net, weights in sources), flush=True)
    if grown:
        for net in (G, average):
            sg2.quiet_top(net, resolution)
    return seen


def train(a):
    device = sg2.prepare(a)
    torch.backends.cuda.matmul.allow_tf32 = True
    data = sg2.Pictures(a, device, a.z_dim, a.cond)
    G = sg2.Generator(z_dim=a.z_dim, c_dim=data.classes, w_dim=a.w_dim, img_resolution=a.res, channel_base=a.base, channel_max=a.cmax,
                      mapping_layers=a.mapping, num_fp16_res=a.half, conv_clamp=256 if a.half else None).to(device)
    projector = Projector(a.features, a.feature_size).to(device)
    with torch.no_grad():
        shapes = [f.shape for f in projector(torch.zeros(1, 3, a.res, a.res, device=device))]
    heads = nn.ModuleList([Head(s[1], s[2], data.classes) for s in shapes]).to(device)
    average = copy.deepcopy(G).eval().requires_grad_(False)
    optimizer_g = torch.optim.Adam(G.parameters(), lr=a.lr, betas=(0., .99), eps=1e-8)
    optimizer_h = torch.optim.Adam(heads.parameters(), lr=a.lr * 1.3, betas=(0., .99), eps=1e-8)
    state_path, seen, best = os.path.join(a.out, 'state.pt'), 0, None
    if os.path.exists(state_path):
        state = torch.load(state_path, map_location=device, weights_only=True)
        for part, key in ((G, 'G'), (heads, 'H'), (average, 'E'), (optimizer_g, 'og'), (optimizer_h, 'oh')):
            part.load_state_dict(state[key])
        seen, best = state['seen'], state.get('best')
        print('resumed at', seen, flush=True)
    elif a.start:
        seen = start_from(a.start, a.res, G, heads, average, device)
    groups = optimizer_g.param_groups + optimizer_h.param_groups
    full_rates = [a.lr] * len(optimizer_g.param_groups) + [a.lr * 1.3] * len(optimizer_h.param_groups)

    statistics = squeezenet.Statistics(a.features).to(device)
    real_statistics = statistics(data.batches(a.fd_n))
    grid_z, grid_c = data.grid_latents(a.grid ** 2)
    half = torch.autocast('cuda', torch.bfloat16, enabled=device.type == 'cuda')

    def project(x):
        x = sg2.augment(x, a.p)
        with half:
            return projector(x)

    def scores(features, c):
        with half:
            return [head(f, c).float() for head, f in zip(heads, features)]

    losses, steps = [], 0

    @torch.no_grad()
    def save(tag):
        nonlocal best
        distance = squeezenet.frechet(real_statistics, statistics(average(*data.latents(32)).float() for _ in range(max(1, a.fd_n // 32))))
        notes = dict(images=str(seen), dataset=a.note, licence=a.licence, classes=json.dumps(data.names if data.classes else []),
                     squeezenet_fd=f'{distance:.3f}')
        sg2.export(average, os.path.join(a.out, 'ema.safetensors'), notes)
        if best is None or distance < best:
            best = distance
            sg2.export(average, os.path.join(a.out, 'best.safetensors'), notes)
        sg2.save_state(state_path, G=G.state_dict(), H=heads.state_dict(), E=average.state_dict(), og=optimizer_g.state_dict(),
                       oh=optimizer_h.state_dict(), seen=seen, best=best)
        sg2.grid(average, grid_z, grid_c, os.path.join(a.out, f'fakes-{tag}.png'), a.grid)
        print(f'saved {tag}: squeezenet_fd {distance:.2f}', flush=True)

    started, first = time.time(), seen
    next_save = started + a.save_minutes * 60
    while time.time() - started < a.minutes * 60 and steps < a.steps:
        for g, rate in zip(groups, full_rates):
            g['lr'] = rate * min(1.0, (steps + 1) / a.warm)

        # heads
        heads.requires_grad_(True)
        with torch.no_grad():
            x, c, _ = data.fake(G, a.batch, a.mix)
            fake_features = project(x)
            real, real_c = data.real(a.batch)
            real_features = project(real)
        loss_heads = sum(F.relu(1 + f).mean() + F.relu(1 - r).mean()
                         for f, r in zip(scores(fake_features, c), scores(real_features, real_c)))
        optimizer_h.zero_grad(set_to_none=True)
        loss_heads.backward()
        optimizer_h.step()

        # generator
        heads.requires_grad_(False)
        x, c, _ = data.fake(G, a.batch, a.mix)
        loss_g = -sum(s.mean() for s in scores(project(x), c))
        optimizer_g.zero_grad(set_to_none=True)
        loss_g.backward()
        sg2.step_safely(optimizer_g, G)
        seen, steps = seen + a.batch, steps + 1
        sg2.update_average(average, G, a.batch, min(a.ema * 1000, seen * .05))

        losses.append((float(loss_heads.detach()), float(loss_g.detach())))
        if steps % 50 == 0:
            minutes, (d, g) = (time.time() - started) / 60, np.mean(losses, 0)
            losses = []
            print(f'{minutes:6.1f} min {seen / 1000:8.1f} kimg {(seen - first) / minutes / 60:6.1f} img/s D {d:.3f} G {g:.3f}', flush=True)
        if time.time() > next_save:
            save(f'{seen // 1000:05d}')
            next_save = time.time() + a.save_minutes * 60
    save('last')
    print(f'done: {steps} steps, {seen} pictures seen', flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    option = parser.add_argument
    sg2.common_options(option)
    option('--res', type=int, default=64)
    option('--base', type=int, default=1536, help='channels at a resolution: base / resolution')
    option('--cmax', type=int, default=96, help='and at most this many')
    option('--z-dim', type=int, default=64)
    option('--w-dim', type=int, default=256)
    option('--mapping', type=int, default=2, help='mapping layers')
    option('--feature-size', type=int, default=112, help='size of the pictures that SqueezeNet sees')
    option('--batch', type=int, default=16)
    option('--lr', type=float, default=.0015)
    option('--warm', type=int, default=100, help='warm-up steps of the learning rate')
    option('--mix', type=float, default=.3, help='share of batches with style mixing')
    option('--ema', type=float, default=8, help='half life of the moving average, in thousand pictures')
    option('--half', type=int, default=0, help='resolutions in half precision, on CUDA')
    option('--cond', action='store_true', help='train with classes (the names of subfolders); tends to collapse')
    option('--start', default='', help='state.pt or a .safetensors of an earlier run, of the same or of half the resolution')
    train(parser.parse_args())


if __name__ == '__main__':
    main()
