#!/usr/bin/env python3
"""A small StyleGAN2 trainer in plain PyTorch, for a GPU.

The generator has the parameter names and the exact arithmetic of the stylegan2-ada-pytorch format (skip
generator, [1,3,3,1] filter), so any loader of that format takes the exported weights.  Resampling is folded
into the convolutions (a 3x3 kernel and the 4x4 filter make one 6x6 kernel, run as four 3x3 phases going up
and with stride 2 going down): no custom CUDA code, and second derivatives work everywhere.

  train    time-boxed and resumable; writes state.pt, ema.safetensors, best.safetensors, D.safetensors, grids
  sample   draw a grid, and optionally a strip of slow walks, from an exported file
  info     parameters and size of a configuration
"""
import argparse
import copy
import json
import math
import os
import random
import time

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import pictures
import squeezenet

SQRT2 = math.sqrt(2)


# ---------------------------------------------------------------- resampling
def blur_filter():
    f = torch.tensor([1., 3., 3., 1.])
    f = f[:, None] * f[None]
    return f / f.sum()


def blurred_kernels(kernels, f):
    """full 2-d convolution of every kernel [o, i, k, k] with the (symmetric) filter f"""
    o, i, k, _ = kernels.shape
    out = F.conv2d(kernels.reshape(o * i, 1, k, k), f[None, None].to(kernels), padding=f.shape[0] - 1)
    return out.reshape(o, i, k + f.shape[0] - 1, -1)


_fold_matrices = {}


def folded(kernels, up):
    """Kernels with the filter folded in, as one small matrix product.

    down: [o, i, k+3, k+3], to be run with stride 2.
    up (3x3 only): [4o, i, 3, 3], the four phases of a transposed convolution with the filter at gain 4.
    """
    o, i, k, _ = kernels.shape
    key = (k, up, kernels.device)
    if key not in _fold_matrices:
        basis = blurred_kernels(torch.eye(k * k).reshape(k * k, 1, k, k), blur_filter() * (4 if up else 1))
        if up:
            basis = torch.stack([basis[:, :, py::2, px::2].flip(2, 3) for py in (0, 1) for px in (0, 1)], 1)
        _fold_matrices[key] = basis.reshape(k * k, -1).to(kernels.device)
    out = kernels.reshape(o * i, k * k).float() @ _fold_matrices[key]
    if up:
        return out.reshape(o, i, 4, 3, 3).transpose(1, 2).reshape(4 * o, i, 3, 3)
    return out.reshape(o, i, k + 3, k + 3)


def conv_up2(x, kernels):
    return F.pixel_shuffle(F.conv2d(x, folded(kernels, True).to(x.dtype), padding=1), 2)


def image_up2(x, f):
    channels = x.shape[1]
    return F.conv_transpose2d(x, (f * 4).to(x)[None, None].repeat(channels, 1, 1, 1), stride=2, padding=1, groups=channels)


# ---------------------------------------------------------------- generator
class Linear(nn.Module):
    """fully connected, weights scaled as they are used"""

    def __init__(self, inputs, outputs, activate=False, lr=1.0, bias_init=0.0):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / lr)
        self.bias = nn.Parameter(torch.full([outputs], float(bias_init)))
        self.activate, self.weight_gain, self.bias_gain = activate, lr / math.sqrt(inputs), lr

    def forward(self, x):
        x = F.linear(x, self.weight.to(x.dtype) * self.weight_gain, self.bias.to(x.dtype) * self.bias_gain)
        return F.leaky_relu(x, .2) * SQRT2 if self.activate else x


def unit(x):
    return x * (x.square().mean(1, keepdim=True) + 1e-8).rsqrt()


class Mapping(nn.Module):
    """z, and a class if there are classes -> ws [N, num_ws, w_dim]"""

    def __init__(self, z_dim, c_dim, w_dim, num_ws, layers):
        super().__init__()
        self.c_dim, self.num_ws, self.layers = c_dim, num_ws, layers
        if c_dim:
            self.embed = Linear(c_dim, w_dim)
        widths = [z_dim + (w_dim if c_dim else 0)] + [w_dim] * layers
        for i in range(layers):
            setattr(self, f'fc{i}', Linear(widths[i], widths[i + 1], True, .01))
        self.register_buffer('w_avg', torch.zeros(w_dim))

    def forward(self, z, c=None, psi=1.0, track=False):
        x = unit(z.float())
        if self.c_dim:
            x = torch.cat([x, unit(self.embed(c.float()))], 1)
        for i in range(self.layers):
            x = getattr(self, f'fc{i}')(x)
        if track:
            self.w_avg.lerp_(x.detach().mean(0), 1 - .995)
        x = x[:, None].repeat(1, self.num_ws, 1)
        return self.w_avg + (x - self.w_avg) * psi if psi != 1 else x


class SynthesisLayer(nn.Module):
    """modulated 3x3 convolution, noise, bias, activation"""

    def __init__(self, channels_in, channels_out, w_dim, resolution, up, clamp):
        super().__init__()
        self.up, self.resolution, self.clamp = up, resolution, clamp
        self.affine = Linear(w_dim, channels_in, bias_init=1)
        self.weight = nn.Parameter(torch.randn(channels_out, channels_in, 3, 3))
        self.register_buffer('resample_filter', blur_filter())
        self.register_buffer('noise_const', torch.randn(resolution, resolution))
        self.noise_strength = nn.Parameter(torch.zeros([]))
        self.bias = nn.Parameter(torch.zeros(channels_out))

    def forward(self, x, w, noise='random'):
        style, weight = self.affine(w), self.weight
        if x.dtype == torch.float16:  # keep half precision in range
            weight = weight * (1 / math.sqrt(weight[0].numel()) / weight.abs().amax((1, 2, 3), keepdim=True))
            style = style / style.abs().amax(1, keepdim=True)
        demodulation = ((weight.square().sum((2, 3))[None] * style.square()[:, None]).sum(2) + 1e-8).rsqrt()  # [N, out]
        x = x * style.to(x.dtype)[:, :, None, None]
        x = conv_up2(x, weight) if self.up == 2 else F.conv2d(x, weight.to(x.dtype), padding=1)
        x = x * demodulation.to(x.dtype)[:, :, None, None]
        if noise == 'random':
            field = torch.randn(x.shape[0], 1, self.resolution, self.resolution, device=x.device)
            x = x + (field * self.noise_strength).to(x.dtype)
        elif noise == 'const':
            x = x + (self.noise_const * self.noise_strength).to(x.dtype)
        x = F.leaky_relu(x + self.bias.to(x.dtype)[None, :, None, None], .2) * SQRT2
        return x.clamp(-self.clamp * SQRT2, self.clamp * SQRT2) if self.clamp else x


class ToRgb(nn.Module):
    def __init__(self, channels, w_dim, clamp):
        super().__init__()
        self.clamp = clamp
        self.affine = Linear(w_dim, channels, bias_init=1)
        self.weight = nn.Parameter(torch.randn(3, channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(3))
        self.weight_gain = 1 / math.sqrt(channels)

    def forward(self, x, w):
        style = self.affine(w) * self.weight_gain
        x = F.conv2d(x * style.to(x.dtype)[:, :, None, None], self.weight.to(x.dtype))
        x = x + self.bias.to(x.dtype)[None, :, None, None]
        return x.clamp(-self.clamp, self.clamp) if self.clamp else x


class SynthesisBlock(nn.Module):
    """one resolution; the first has a learned constant in place of conv0"""

    def __init__(self, channels_in, channels_out, w_dim, resolution, clamp, half):
        super().__init__()
        self.half, self.first = half, channels_in == 0
        self.register_buffer('resample_filter', blur_filter())
        if self.first:
            self.const = nn.Parameter(torch.randn(channels_out, resolution, resolution))
        else:
            self.conv0 = SynthesisLayer(channels_in, channels_out, w_dim, resolution, 2, clamp)
        self.conv1 = SynthesisLayer(channels_out, channels_out, w_dim, resolution, 1, clamp)
        self.torgb = ToRgb(channels_out, w_dim, clamp)
        self.convolutions = 1 if self.first else 2

    def forward(self, x, image, ws, noise):
        half = self.half and ws.is_cuda
        dtype = torch.float16 if half else torch.float32
        w = iter(ws.unbind(1))
        if self.first:
            x = self.const[None].repeat(ws.shape[0], 1, 1, 1).to(dtype)
        else:
            x = x.to(dtype, memory_format=torch.channels_last if half else torch.preserve_format)
            x = self.conv0(x, next(w), noise)
            image = image_up2(image, self.resample_filter)
        x = self.conv1(x, next(w), noise)
        rgb = self.torgb(x, next(w)).float()
        return x, rgb if image is None else image + rgb


def channels_at(resolution, base, most):
    return min(base // resolution, most)


def lowest_half(resolution, half_resolutions):
    """lowest resolution that is run in half precision"""
    return resolution // 2 ** half_resolutions * 2 if half_resolutions else resolution * 2


class Synthesis(nn.Module):
    """ws -> picture [N, 3, H, W], about -1..1"""

    def __init__(self, w_dim, resolution, channel_base, channel_max, half_resolutions, clamp):
        super().__init__()
        self.resolutions = [2 ** i for i in range(2, int(math.log2(resolution)) + 1)]
        channels = 0
        for r in self.resolutions:
            half, before = r >= lowest_half(resolution, half_resolutions), channels
            channels = channels_at(r, channel_base, channel_max)
            setattr(self, f'b{r}', SynthesisBlock(before, channels, w_dim, r, clamp if half else None, half))
        self.num_ws = 2 * len(self.resolutions)

    def forward(self, ws, noise='random'):
        x, image, i = None, None, 0
        for r in self.resolutions:
            block = getattr(self, f'b{r}')
            x, image = block(x, image, ws[:, i:i + block.convolutions + 1].float(), noise)
            i += block.convolutions
        return image


class Generator(nn.Module):
    def __init__(self, z_dim, c_dim, w_dim, img_resolution, channel_base, channel_max, mapping_layers, num_fp16_res=0, conv_clamp=None):
        super().__init__()
        self.config = dict(
            z_dim=z_dim, c_dim=c_dim, w_dim=w_dim, img_resolution=img_resolution, img_channels=3, channel_base=channel_base,
            channel_max=channel_max, mapping_layers=mapping_layers, num_fp16_res=num_fp16_res, conv_clamp=conv_clamp)
        self.synthesis = Synthesis(w_dim, img_resolution, channel_base, channel_max, num_fp16_res, conv_clamp)
        self.mapping = Mapping(z_dim, c_dim, w_dim, self.synthesis.num_ws, mapping_layers)

    def forward(self, z, c=None, psi=1.0, noise='random'):
        return self.synthesis(self.mapping(z, c, psi), noise)


# ---------------------------------------------------------------- discriminator
# Residual, with minibatch deviation.  It is not shipped, so it may be larger than the generator.
class DiscriminatorLayer(nn.Module):
    def __init__(self, channels_in, channels_out, kernel, down=1, activate=True, bias=True, clamp=None):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(channels_out, channels_in, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(channels_out)) if bias else None
        self.kernel, self.down, self.activate, self.clamp = kernel, down, activate, clamp
        self.weight_gain = 1 / math.sqrt(channels_in * kernel * kernel)

    def forward(self, x, gain=1.0):
        weight = self.weight * self.weight_gain
        if self.down == 2:
            x = F.conv2d(x, folded(weight, False).to(x.dtype), stride=2, padding=self.kernel // 2 + 1)
        else:
            x = F.conv2d(x, weight.to(x.dtype), padding=self.kernel // 2)
        if self.bias is not None:
            x = x + self.bias.to(x.dtype)[None, :, None, None]
        x = F.leaky_relu(x, .2) * (gain * SQRT2) if self.activate else x * gain
        return x.clamp(-self.clamp * gain, self.clamp * gain) if self.clamp else x


class DiscriminatorBlock(nn.Module):
    def __init__(self, channels_in, channels_out, first, half, clamp):
        super().__init__()
        self.half = half
        clamp = clamp if half else None
        if first:
            self.fromrgb = DiscriminatorLayer(3, channels_in, 1, clamp=clamp)
        self.conv0 = DiscriminatorLayer(channels_in, channels_in, 3, clamp=clamp)
        self.conv1 = DiscriminatorLayer(channels_in, channels_out, 3, 2, clamp=clamp)
        self.skip = DiscriminatorLayer(channels_in, channels_out, 1, 2, False, False)

    def forward(self, x):
        x = x.to(torch.float16 if self.half and x.is_cuda else torch.float32, memory_format=torch.channels_last)
        if hasattr(self, 'fromrgb'):
            x = self.fromrgb(x)
        return self.conv1(self.conv0(x), math.sqrt(.5)) + self.skip(x, math.sqrt(.5))


class Discriminator(nn.Module):
    def __init__(self, resolution, c_dim, channel_base, channel_max, half_resolutions, clamp=256):
        super().__init__()
        self.c_dim = c_dim
        self.resolutions = [2 ** i for i in range(int(math.log2(resolution)), 2, -1)]
        for r in self.resolutions:
            setattr(self, f'b{r}', DiscriminatorBlock(
                channels_at(r, channel_base, channel_max), channels_at(r // 2, channel_base, channel_max), r == resolution,
                r >= lowest_half(resolution, half_resolutions), clamp))
        last = channels_at(4, channel_base, channel_max)
        outputs = last if c_dim else 1
        self.conv = DiscriminatorLayer(last + 1, last, 3)
        self.fc = Linear(last * 16, last, True)
        self.out = Linear(last, outputs)
        if c_dim:
            self.embed = Linear(c_dim, outputs)
            self.cm0, self.cm1 = Linear(outputs, outputs, True, .01), Linear(outputs, outputs, True, .01)

    def forward(self, image, c=None):
        x = image
        for r in self.resolutions:
            x = getattr(self, f'b{r}')(x)
        x = x.float()
        n, channels, h, w = x.shape
        group = 4 if n % 4 == 0 else 1
        y = x.reshape(group, -1, channels, h, w)
        y = (y - y.mean(0)).square().mean(0).add(1e-8).sqrt().mean((1, 2, 3)).reshape(-1, 1, 1, 1).repeat(group, 1, h, w)
        x = self.out(self.fc(self.conv(torch.cat([x, y], 1)).flatten(1)))
        if self.c_dim:
            direction = unit(self.cm1(self.cm0(unit(self.embed(c)))))
            x = (x * direction).sum(1, keepdim=True) / math.sqrt(x.shape[1])
        return x


# ---------------------------------------------------------------- files
def export(generator, path, notes):
    """half precision safetensors with everything a loader needs in the metadata"""
    weights = {k: v.detach().cpu().half().contiguous().clone() for k, v in generator.state_dict().items()}
    metadata = dict(format='stylegan2-ada-pytorch', network='G_ema', config=json.dumps(generator.config), architecture='skip',
                    resample_filter='[1,3,3,1]', **notes)
    save_file(weights, path + '.tmp', metadata=metadata)
    os.replace(path + '.tmp', path)


def read_metadata(path):
    with safe_open(path, 'pt') as f:
        return f.metadata()


def load_generator(path):
    """-> generator, metadata"""
    metadata = read_metadata(path)
    config = json.loads(metadata['config'])
    config.pop('img_channels', None)
    generator = Generator(**config)
    generator.load_state_dict({k: v.float() for k, v in load_file(path).items()})
    return generator.eval(), metadata


def load_matching(net, weights):
    """take over what has the same name and shape -> (taken, all)"""
    own = net.state_dict()
    fitting = {k: v.float() for k, v in weights.items() if k in own and own[k].shape == v.shape}
    own.update(fitting)
    net.load_state_dict(own)
    return len(fitting), len(own)


def quiet_top(net, resolution):
    """a network that has grown: let the new top layer start almost silent"""
    getattr(net.synthesis, f'b{resolution}').torgb.weight.data.mul_(.1)


def save_state(path, **state):
    torch.save(state, path + '.tmp')
    os.replace(path + '.tmp', path)


@torch.no_grad()
def grid(generator, zs, cs, path, columns, psi=1.0):
    """write a grid of pictures, with constant noise"""
    images = [generator(zs[i:i + 8], None if cs is None else cs[i:i + 8], psi, 'const').float().cpu() for i in range(0, len(zs), 8)]
    images = (torch.cat(images) * 127.5 + 128).clamp(0, 255).byte()
    size, rows = images.shape[2], len(images) // columns
    images = images[:rows * columns].reshape(rows, columns, 3, size, size).permute(0, 3, 1, 4, 2)
    Image.fromarray(images.reshape(rows * size, columns * size, 3).numpy()).save(path)


# ---------------------------------------------------------------- augmentation
def augment(x, p):
    """Differentiable, and does not leak into the pictures at small p: each kind of change hits a picture with probability p."""
    n, device = x.shape[0], x.device

    def hit():
        return (torch.rand(n, device=device) < p).float()

    def normal(deviation):
        return torch.randn(n, device=device) * deviation

    def symmetric():
        return torch.rand(n, device=device) * 2 - 1

    def per_picture(t):
        return t.view(n, 1, 1, 1)

    # place: zoom, aspect, turn, shift
    zoom, aspect = torch.exp2(normal(.2) * hit()), torch.exp2(normal(.15) * hit())
    turn, tx, ty = symmetric() * math.pi * .12 * hit(), normal(.08) * hit(), normal(.08) * hit()
    c, s = torch.cos(turn), torch.sin(turn)
    matrix = torch.stack([torch.stack([c * zoom * aspect, -s * zoom * aspect, tx], 1),
                          torch.stack([s * zoom / aspect, c * zoom / aspect, ty], 1)], 1)
    places = F.affine_grid(matrix, list(x.shape), align_corners=False)
    x = F.grid_sample(x, places, mode='bilinear', padding_mode='reflection', align_corners=False)

    # colour: brightness, contrast, saturation, hue as a turn about the grey axis
    x = x + per_picture(normal(.15) * hit())
    mean = x.mean((1, 2, 3), keepdim=True)
    x = (x - mean) * per_picture(torch.exp2(normal(.35) * hit())) + mean
    grey = x.mean(1, keepdim=True)
    x = grey + (x - grey) * per_picture(torch.exp2(normal(.6) * hit()))
    hue = symmetric() * math.pi * .25 * hit()
    c, s, k = torch.cos(hue)[:, None, None], torch.sin(hue)[:, None, None], 1 / math.sqrt(3)
    cross = torch.tensor([[0, -k, k], [k, 0, -k], [-k, k, 0]], device=device)
    rotation = c * torch.eye(3, device=device) + (1 - c) / 3 + s * cross
    x = torch.einsum('nij,njhw->nihw', rotation, x)

    # cutout: a square of half the side
    size = x.shape[2]
    ramp = torch.arange(size, device=device).float() / size
    inside_y = ((ramp - torch.rand(n, 1, device=device)).abs() < .25).float()
    inside_x = ((ramp - torch.rand(n, 1, device=device)).abs() < .25).float()
    return x * (1 - inside_y[:, None, :, None] * inside_x[:, None, None, :] * per_picture(hit() * .999))


# ---------------------------------------------------------------- what both trainers share
def step_safely(optimizer, net):
    """one optimizer step; a value that is not finite does not end the run"""
    for q in net.parameters():
        if q.grad is not None:
            torch.nan_to_num_(q.grad, 0, 1e5, -1e5)
    optimizer.step()


@torch.no_grad()
def update_average(average, net, batch, half_life):
    decay = .5 ** (batch / max(half_life, 1e-8))
    torch._foreach_lerp_(list(average.parameters()), list(net.parameters()), 1 - decay)
    for a, b in zip(average.buffers(), net.buffers()):
        a.copy_(b)


class Pictures:
    """the training set on the device, and random latents to go with it"""

    def __init__(self, a, device, z_dim, classes):
        self.x, self.y, self.names = pictures.load_squares(a.data, a.res, a.crops, a.seed, a.where)
        self.x, self.y, self.device, self.z_dim = self.x.to(device), self.y.to(device), device, z_dim
        self.classes = len(self.names) if classes else 0
        print(f'{len(self.x)} pictures, {self.classes} classes', flush=True)

    def one_hot(self, y):
        return F.one_hot(y, self.classes).float() if self.classes else None

    def batches(self, most, size=64):
        for i in range(0, min(len(self.x), most), size):
            yield self.x[i:i + size].float() / 127.5 - 1

    def real(self, n):
        """n pictures, half of them mirrored, and their classes"""
        i = torch.randint(len(self.x), (n,), device=self.device)
        x = self.x[i].float() / 127.5 - 1
        mirrored = torch.rand(n, 1, 1, 1, device=self.device) < .5
        return torch.where(mirrored, x.flip(3), x), self.one_hot(self.y[i])

    def latents(self, n):
        y = self.y[torch.randint(len(self.y), (n,), device=self.device)]
        return torch.randn(n, self.z_dim, device=self.device), self.one_hot(y)

    def fake(self, generator, n, mix):
        """n generated pictures, their classes and ws; a share of `mix` batches has a second latent from some layer on"""
        z, c = self.latents(n)
        ws = generator.mapping(z, c, track=True)
        if random.random() < mix:
            cut = random.randint(1, ws.shape[1] - 1)
            ws = torch.cat([ws[:, :cut], generator.mapping(self.latents(n)[0], c)[:, cut:]], 1)
        return generator.synthesis(ws), c, ws

    def grid_latents(self, cells):
        z = torch.randn(cells, self.z_dim, generator=torch.Generator().manual_seed(7)).to(self.device)
        return z, self.one_hot(torch.arange(cells, device=self.device) % max(self.classes, 1))


def common_options(option):
    option('--data', required=True, help='folders of pictures or tar packs, comma separated')
    option('--where', default='', help='keep pictures by a field of their index, e.g. view=close')
    option('--crops', type=int, default=0, help='random views of each picture that is larger than the resolution')
    option('--out', required=True, help='folder to write to; a run that is there goes on')
    option('--minutes', type=float, default=25)
    option('--steps', type=int, default=10 ** 9)
    option('--save-minutes', type=float, default=4)
    option('--features', default=squeezenet.WEIGHTS, help='SqueezeNet weights')
    option('--fd-n', type=int, default=1024, help='pictures for the printed distance')
    option('--grid', type=int, default=8, help='side of the grid of samples')
    option('--p', type=float, default=.2, help='strength of the augmentation, at the start')
    option('--seed', type=int, default=1)
    option('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    option('--threads', type=int, default=0)
    option('--note', default='', help='which pictures these are; goes into the file')
    option('--licence', default='', help='goes into the file')


def prepare(a):
    """seeds, threads, output folder -> device"""
    torch.manual_seed(a.seed)
    random.seed(a.seed)
    np.random.seed(a.seed)
    if a.threads:
        torch.set_num_threads(a.threads)
    torch.backends.cudnn.benchmark = torch.backends.cudnn.allow_tf32 = True
    os.makedirs(a.out, exist_ok=True)
    return torch.device(a.device)


# ---------------------------------------------------------------- training
def train(a):
    device = prepare(a)
    data = Pictures(a, device, a.w_dim, a.cond)
    G = Generator(z_dim=a.w_dim, c_dim=data.classes, w_dim=a.w_dim, img_resolution=a.res, channel_base=a.base, channel_max=a.cmax,
                  mapping_layers=a.mapping, num_fp16_res=a.half, conv_clamp=256 if a.half else None).to(device)
    D = Discriminator(a.res, data.classes, a.dbase, a.dmax, a.half).to(device)
    average = copy.deepcopy(G).eval().requires_grad_(False)
    state_path = os.path.join(a.out, 'state.pt')
    state = torch.load(state_path, map_location=device, weights_only=True) if os.path.exists(state_path) else None
    seen, p, seen_before = 0, a.p, 0
    if state:
        for net, key in ((G, 'G'), (D, 'D'), (average, 'E')):
            net.load_state_dict(state[key])
        seen, p = state['seen'], state['p']
        print('resumed at', seen, flush=True)
    elif a.start:
        seen, p = start_from(a, G, D, average, p)
        seen_before = seen

    def adam(net, regularized_every):
        ratio = regularized_every / (regularized_every + 1) if regularized_every else 1
        return torch.optim.Adam(net.parameters(), lr=a.lr * ratio, betas=(0.0, .99 ** ratio), eps=1e-8)
    optimizer_g, optimizer_d = adam(G, a.pl_every if a.pl else 0), adam(D, a.r1_every)
    if state:
        optimizer_g.load_state_dict(state['og'])
        optimizer_d.load_state_dict(state['od'])
    groups = optimizer_g.param_groups + optimizer_d.param_groups
    full_rates = [g['lr'] for g in groups]

    statistics = squeezenet.Statistics(a.features).to(device)
    real_statistics = statistics(data.batches(a.fd_n))
    grid_z, grid_c = data.grid_latents(a.grid ** 2)
    best, log, signs, steps = None, {}, [], 0
    path_mean = torch.zeros([], device=device)

    def note(name, value):
        log.setdefault(name, []).append(float(value.detach()) if torch.is_tensor(value) else value)

    @torch.no_grad()
    def save(tag):
        nonlocal best
        distance = squeezenet.frechet(real_statistics, statistics(average(*data.latents(32)).float() for _ in range(max(1, a.fd_n // 32))))
        notes = dict(images=str(seen), augment_p=f'{p:.3f}', dataset=a.note, licence=a.licence,
                     classes=json.dumps(data.names if data.classes else []), squeezenet_fd=f'{distance:.3f}')
        export(average, os.path.join(a.out, 'ema.safetensors'), notes)
        if best is None or distance < best:
            best = distance
            export(average, os.path.join(a.out, 'best.safetensors'), notes)
        save_file({k: v.detach().cpu().half().contiguous().clone() for k, v in D.state_dict().items()}, os.path.join(a.out, 'D.safetensors'))
        save_state(state_path, G=G.state_dict(), D=D.state_dict(), E=average.state_dict(), og=optimizer_g.state_dict(),
                   od=optimizer_d.state_dict(), seen=seen, p=p)
        grid(average, grid_z, grid_c, os.path.join(a.out, f'fakes-{tag}.png'), a.grid)
        print(f'saved {tag}: squeezenet_fd {distance:.2f}', flush=True)

    started, first = time.time(), seen
    next_save = started + a.save_minutes * 60
    while time.time() - started < a.minutes * 60 and steps < a.steps:
        for g, rate in zip(groups, full_rates):  # a short warm-up, since the optimizer may be fresh
            g['lr'] = rate * min(1.0, (steps + 1) / a.warm)

        # generator
        D.requires_grad_(False)
        G.requires_grad_(True)
        x, c, _ = data.fake(G, a.batch, a.mix)
        loss = F.softplus(-D(augment(x, p), c)).mean()
        optimizer_g.zero_grad(set_to_none=True)
        loss.backward()
        step_safely(optimizer_g, G)
        note('G', loss)
        if a.pl and steps % a.pl_every == 0 and seen >= a.pl_from:  # path length: even interpolation
            x, _, ws = data.fake(G, max(1, a.batch // 2), 0)
            slope, = torch.autograd.grad((x * torch.randn_like(x) / a.res).sum(), ws, create_graph=True)
            lengths = slope.square().sum(2).mean(1).sqrt()
            path_mean = path_mean.lerp(lengths.mean().detach(), .01)
            optimizer_g.zero_grad(set_to_none=True)
            ((lengths - path_mean).square().mean() * a.pl * a.pl_every).backward()
            step_safely(optimizer_g, G)
            note('PL', lengths.mean())

        # discriminator
        D.requires_grad_(True)
        G.requires_grad_(False)
        with torch.no_grad():
            x, c, _ = data.fake(G, a.batch, a.mix)
        real, real_c = data.real(a.batch)
        score_fake, score_real = D(augment(x, p), c), D(augment(real, p), real_c)
        loss = F.softplus(score_fake).mean() + F.softplus(-score_real).mean()
        optimizer_d.zero_grad(set_to_none=True)
        loss.backward()
        step_safely(optimizer_d, D)
        note('D', loss)
        signs.append(score_real.detach().sign().mean())
        if steps % a.r1_every == 0:
            real, real_c = data.real(a.batch)
            real = augment(real, p).detach().requires_grad_(True)
            slope, = torch.autograd.grad(D(real, real_c).sum(), real, create_graph=True)
            penalty = slope.square().sum((1, 2, 3)).mean()
            optimizer_d.zero_grad(set_to_none=True)
            (penalty * a.gamma / 2 * a.r1_every).backward()
            step_safely(optimizer_d, D)
            note('R1', penalty)
        seen, steps = seen + a.batch, steps + 1

        half_life = a.ema * 1000 if seen_before else min(a.ema * 1000, seen * .05 + a.batch)
        update_average(average, G, a.batch, half_life)
        if len(signs) >= 4:  # adaptive strength: aim at a share of real pictures that are told to be real
            sign = float(torch.stack(signs).mean())
            signs = []
            note('rt', sign)
            p = min(.8, max(0.0, p + math.copysign(4 * a.batch / (a.ada_k * 1000), sign - .6)))
        if steps % 50 == 0:
            minutes = (time.time() - started) / 60
            print(f'{minutes:6.1f} min {seen / 1000:9.1f} kimg {(seen - first) / minutes / 60:7.1f} img/s p {p:.2f} '
                  + ' '.join(f'{k} {np.mean(v):.3f}' for k, v in log.items()), flush=True)
            log = {}
        if time.time() > next_save:
            save(f'{seen // 1000:05d}')
            next_save = time.time() + a.save_minutes * 60
    save('last')
    print(f'done: {steps} steps, {seen} pictures seen', flush=True)


def start_from(a, G, D, average, p):
    """weights of an earlier run, of the same or of half the resolution -> (pictures seen, p)"""
    generator_path, discriminator_path = (os.path.join(a.start, name) for name in ('ema.safetensors', 'D.safetensors'))
    weights, metadata = load_file(generator_path), read_metadata(generator_path)
    same = json.loads(metadata['config'])['img_resolution'] == a.res
    print('taken over: G', load_matching(G, weights), 'average', load_matching(average, weights))
    if os.path.exists(discriminator_path):
        taken = {k: v for k, v in load_file(discriminator_path).items() if same or 'fromrgb' not in k}
        print('taken over: D', load_matching(D, taken))
    if same:
        return int(metadata.get('images', 0)), float(metadata.get('augment_p', p))
    for net in (G, average):
        quiet_top(net, a.res)
    return 0, p


# ---------------------------------------------------------------- sample, info
def sample(a):
    generator, _ = load_generator(a.net)
    cells, classes = a.grid ** 2, generator.config['c_dim']
    z = torch.randn(cells, generator.config['z_dim'], generator=torch.Generator().manual_seed(a.seed))
    c = F.one_hot(torch.arange(cells) % classes, classes).float() if classes else None
    grid(generator, z, c, a.out, a.grid, a.psi)
    if a.strip:  # each row turns from one latent into another
        angle = torch.linspace(0, 1, a.grid)[:, None] * math.pi / 2
        rows = [z[2 * i] * torch.cos(angle) + z[2 * i + 1] * torch.sin(angle) for i in range(min(a.grid, cells // 2))]
        grid(generator, torch.cat(rows), c[:1].repeat(len(rows) * a.grid, 1) if classes else None, a.strip, a.grid, a.psi)


def info(a):
    G = Generator(a.w_dim, 0, a.w_dim, a.res, a.base, a.cmax, a.mapping)
    D = Discriminator(a.res, 0, a.dbase, a.dmax, 0)
    for name, net in (('G', G), ('D', D)):
        count = sum(v.numel() for v in net.state_dict().values())
        print(f'{name} {count / 1e6:.2f} M numbers, {count * 2 / 2 ** 20:.1f} MiB in half precision')


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest='command', required=True)

    def shape_options(option):
        option('--res', type=int, default=256)
        option('--base', type=int, default=4096, help='channels at a resolution: base / resolution')
        option('--cmax', type=int, default=256, help='and at most this many')
        option('--w-dim', type=int, default=256)
        option('--mapping', type=int, default=2, help='mapping layers')
        option('--dbase', type=int, default=8192, help='the same for the discriminator')
        option('--dmax', type=int, default=256)

    option = commands.add_parser('train').add_argument
    common_options(option)
    shape_options(option)
    option('--batch', type=int, default=64)
    option('--lr', type=float, default=.0025)
    option('--warm', type=int, default=200, help='steps until the learning rate is full')
    option('--gamma', type=float, default=1.0, help='R1 weight')
    option('--r1-every', type=int, default=16)
    option('--pl', type=float, default=0.0, help='path length weight; 2 is usual, 0 is off')
    option('--pl-every', type=int, default=8)
    option('--pl-from', type=int, default=100000, help='pictures seen before the path length term begins')
    option('--mix', type=float, default=.9, help='share of batches with style mixing')
    option('--ema', type=float, default=10.0, help='half life of the moving average, in thousand pictures')
    option('--ada-k', type=float, default=150, help='thousand pictures for the augmentation to go from 0 to 1')
    option('--half', type=int, default=4, help='resolutions in half precision, on CUDA')
    option('--cond', action='store_true', help='train with classes (the names of subfolders)')
    option('--start', default='', help='folder with ema.safetensors and D.safetensors of an earlier run, same or half the resolution')

    option = commands.add_parser('sample').add_argument
    option('--net', required=True)
    option('--out', default='grid.png')
    option('--strip', default='', help='also write a strip of slow walks')
    option('--grid', type=int, default=8)
    option('--psi', type=float, default=.8)
    option('--seed', type=int, default=0)

    shape_options(commands.add_parser('info').add_argument)
    a = parser.parse_args()
    dict(train=train, sample=sample, info=info)[a.command](a)


if __name__ == '__main__':
    main()
