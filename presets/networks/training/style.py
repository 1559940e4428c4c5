#!/usr/bin/env python3
"""Small feed-forward style networks for a feedback loop.

One network holds several styles (conditional instance norm): the convolutions are shared, every style has its
own gamma and beta.  Trained with perceptual losses on SqueezeNet, and with a pool of the network's own outputs,
so that applying it again and again stays alive and stable.

  train   fit a network (resumable, time-boxed)
  loop    apply a network many times to a picture and measure what happens
  lift    raise the contrast of styles, where the loop test finds them too still

The network (no biases; reflect padding k//2; pictures in 0..1):
  enc.0 9x9 3->C      norm relu      enc.1 3x3 /2 norm relu   enc.2 3x3 /2 norm relu
  res.i.0 3x3 norm relu, res.i.1 3x3 norm, add input          (i = 0..R-1)
  dec.0 nearest x2, 3x3 norm relu    dec.1 nearest x2, 3x3 norm relu
  dec.2 9x9 ->3 norm, sigmoid
norm: (x - mean) / sqrt(var + 1e-5) over H and W, then * gamma[style] + beta[style].
"""
import argparse
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


# ---------------------------------------------------------------- network
class StyledConv(nn.Module):
    """reflect padding, convolution, conditional instance norm"""

    def __init__(self, channels_in, channels_out, kernel, stride, styles):
        super().__init__()
        self.padding, self.stride = (kernel // 2,) * 4, stride
        self.weight = nn.Parameter(torch.randn(channels_out, channels_in, kernel, kernel) / math.sqrt(channels_in * kernel * kernel))
        self.gamma = nn.Parameter(torch.ones(styles, channels_out))
        self.beta = nn.Parameter(torch.zeros(styles, channels_out))

    def forward(self, x, mix):
        x = F.conv2d(F.pad(x, self.padding, mode='reflect'), self.weight.to(x.dtype), stride=self.stride)
        x = F.instance_norm(x.float(), eps=1e-5)
        return x * (mix @ self.gamma)[:, :, None, None] + (mix @ self.beta)[:, :, None, None]


class StyleNet(nn.Module):
    """pictures [N, 3, H, W] and how much of each style [N, styles] -> pictures"""

    def __init__(self, styles=1, enc=(32, 32, 32), dec=(8, 4), res=6):
        super().__init__()
        self.config = dict(styles=styles, enc=list(enc), dec=list(dec), res=res)
        first, second, c = enc
        self.enc = nn.ModuleList([
            StyledConv(3, first, 9, 1, styles), StyledConv(first, second, 3, 2, styles), StyledConv(second, c, 3, 2, styles)])
        self.res = nn.ModuleList([
            nn.ModuleList([StyledConv(c, c, 3, 1, styles), StyledConv(c, c, 3, 1, styles)]) for _ in range(res)])
        self.dec = nn.ModuleList([
            StyledConv(c, dec[0], 3, 1, styles), StyledConv(dec[0], dec[1], 3, 1, styles), StyledConv(dec[1], 3, 9, 1, styles)])

    def forward(self, x, mix):
        for layer in self.enc:
            x = F.relu(layer(x, mix))
        for one, two in self.res:
            x = x + two(F.relu(one(x, mix)), mix)
        for layer in self.dec[:2]:
            x = F.relu(layer(F.interpolate(x, scale_factor=2, mode='nearest'), mix))
        return torch.sigmoid(self.dec[2](x, mix))

    def set_styles(self, count, begin=()):
        """same convolutions, fresh styles: gamma and beta start from those of the old styles `begin`, or else from the mean"""
        for layer in self.modules():
            if isinstance(layer, StyledConv):
                for name in ('gamma', 'beta'):
                    old = getattr(layer, name).data
                    new = old[list(begin)] if begin else old.mean(0, keepdim=True).repeat(count, 1)
                    setattr(layer, name, nn.Parameter(new.clone()))
        self.config['styles'] = count


def load_net(path):
    """-> network, metadata"""
    with safe_open(path, 'pt') as f:
        metadata = f.metadata() or {}
    net = StyleNet(**json.loads(metadata['config']))
    net.load_state_dict({k: v.float() for k, v in load_file(path).items()})
    return net, metadata


def save_net(net, path, styles, notes):
    weights = {k: v.detach().cpu().half().contiguous() for k, v in net.state_dict().items()}
    metadata = dict(format='style-cin-1', config=json.dumps(net.config), styles=json.dumps(styles), input='RGB 0..1',
                    output='RGB 0..1', pad='reflect', norm_eps='1e-5', **notes)
    save_file(weights, path + '.tmp', metadata=metadata)
    os.replace(path + '.tmp', path)


def one_style(styles, count):
    return F.one_hot(torch.as_tensor(styles), count).float()


# ---------------------------------------------------------------- losses
TAPS = (1, 3, 4, 6, 7, 9, 10)  # relu1, fire2 to fire7
CONTENT_TAPS = (4, 7)          # fire3, fire5


class Features(nn.Module):
    """SqueezeNet's maps that the losses look at, from fine to coarse; pictures in 0..1"""

    def __init__(self, path):
        super().__init__()
        self.layers = squeezenet.layers(path)[:max(TAPS) + 1]

    def forward(self, x, taps=TAPS):
        x, out = squeezenet.network_input(x * 255), []
        for i, layer in enumerate(self.layers):
            x = layer(x)
            if i in taps:
                out.append(x)
            if i == max(taps):
                return out


def gram(features):
    n, c, h, w = features.shape
    features = features.reshape(n, c, h * w)
    return features @ features.transpose(1, 2) / (h * w)


SHARES = ((.7, .9, 1, 1, 1, .6, .6), (1, 1, 1, 1, 1, .6, .6), (1, 1, 1, 1, 1, .6, .6))  # of each tap at full, half, quarter size


class Targets:
    """what the style loss aims at: Gram matrices at three sizes, mean and deviation of the colours, and how fine it may be"""

    def __init__(self, images, features):
        with torch.no_grad():
            grams = [[[gram(f) for f in features(F.avg_pool2d(image, 2 ** scale))] for scale in range(3)] for image in images]
        self.gram = [[torch.cat([g[scale][tap] for g in grams]) for tap in range(len(TAPS))] for scale in range(3)]
        self.norm = [[(t ** 2).sum((1, 2)) for t in taps] for taps in self.gram]
        self.weave = torch.cat([weave(image) for image in images])
        self.colours = torch.cat([colours(image) for image in images])

    def style_loss(self, features, scale, styles):
        """per picture"""
        return sum(share * ((gram(f) - target[styles]) ** 2).sum((1, 2)) / norm[styles]
                   for share, f, target, norm in zip(SHARES[scale], features, self.gram[scale], self.norm[scale]))

    def weave_loss(self, y, styles):
        """only what is above the painting's counts"""
        return (F.relu(weave(y) / self.weave[styles] - 1) ** 2).mean(1)

    def colour_loss(self, y, styles):
        return ((colours(y) - self.colours[styles]) ** 2).sum(1)


def colours(x):
    """mean and deviation along light to dark, red to green, yellow to blue: deviations of red, green, blue let grey pass"""
    red, green, blue = x.unbind(1)
    axes = torch.stack([(red + green + blue) / 3, red - green, (red + green) / 2 - blue], 1).flatten(2)
    return torch.cat([axes.mean(2), axes.std(2)], 1)


def light(x):
    """[N, H/16, W/16]: where it is light and where dark, whatever the contrast"""
    x = F.avg_pool2d(x, 16).mean(1)
    return (x - x.mean((1, 2), keepdim=True)) / (x.std((1, 2), keepdim=True) + .02)


def vivid(x, factor):
    """more saturation"""
    grey = x.mean(1, keepdim=True)
    return (grey + (x - grey) * factor).clamp(0, 1)


def blur(x, sigma):
    reach = max(1, math.ceil(2.5 * sigma))
    row = torch.exp(-torch.arange(-reach, reach + 1, device=x.device) ** 2 / (2 * sigma * sigma))
    row = (row / row.sum()).repeat(3, 1, 1, 1)
    x = F.conv2d(F.pad(x, (reach, reach, 0, 0), mode='reflect'), row, groups=3)
    return F.conv2d(F.pad(x, (0, 0, reach, reach), mode='reflect'), row.transpose(2, 3), groups=3)


def weave(x):
    """Per picture, what Gram matrices let pass: detail of 2 to 4 pixels, and detail that keeps to a lattice of 4 pixels.

    The decoder draws every cell of its smallest map as 4x4 pixels, so the same small pattern in each cell is its
    cheapest way to be as detailed as a painting.  The root counts flat areas more than edges.
    """
    fine = x - blur(x, 1.0)
    height, width = (side // 16 * 16 for side in x.shape[2:])
    cells = F.avg_pool2d(F.pixel_unshuffle(fine[:, :, :height, :width], 4), 4)  # what neighbouring cells have in common
    return torch.stack([(fine.abs() + 1e-3).sqrt().mean((1, 2, 3)), (cells.abs() + 2e-4).sqrt().mean((1, 2, 3))], 1)


# ---------------------------------------------------------------- pictures
class Content:
    """random square crops of the content pictures, half of them mirrored"""

    def __init__(self, paths, size):
        self.images, self.size = [image for name, data, _ in pictures.read(paths) if (image := pictures.decode(name, data))], size
        if not self.images:
            raise SystemExit(f'none of the pictures in {paths} can be read')

    def one(self):
        image = random.choice(self.images)
        side = max(32, int(min(image.size) * random.uniform(.6, 1)))
        x, y = (random.randint(0, max(0, length - side)) for length in image.size)
        out = pictures.tensor(image.crop((x, y, x + side, y + side)).resize((self.size, self.size), Image.BICUBIC)).float() / 255
        return out.flip(2) if random.random() < .5 else out

    def batch(self, n):
        return torch.stack([self.one() for _ in range(n)])


def load_style(path, side):
    """a style picture, its short side scaled to `side`; of a very long one the middle"""
    image = Image.open(path).convert('RGB')
    scale = side / min(image.size)
    image = image.resize((max(side, round(image.width * scale)), max(side, round(image.height * scale))), Image.LANCZOS)
    if max(image.size) > 2 * side:
        w, h = min(image.width, 2 * side), min(image.height, 2 * side)
        image = image.crop(((image.width - w) // 2, (image.height - h) // 2, (image.width + w) // 2, (image.height + h) // 2))
    return pictures.tensor(image)[None].float() / 255


def drift(x):
    """what a feedback loop does between two passes: a little zoom, turn and shift"""
    n, device = x.shape[0], x.device
    zoom = 1 - torch.empty(n, device=device).uniform_(0, .05)
    turn = torch.empty(n, device=device).uniform_(-.04, .04)
    shift = torch.empty(n, 2, device=device).uniform_(-.03, .03)
    c, s = torch.cos(turn) * zoom, torch.sin(turn) * zoom
    matrix = torch.stack([torch.stack([c, -s, shift[:, 0]], 1), torch.stack([s, c, shift[:, 1]], 1)], 1)
    return move(x, matrix)


def move(x, matrix):
    places = F.affine_grid(matrix, list(x.shape), align_corners=False)
    return F.grid_sample(x, places, mode='bilinear', padding_mode='reflection', align_corners=False)


def read_styles(path):
    """styles.json (a list of records with name and file), or a folder of pictures -> (records, folder)"""
    if os.path.isdir(path):
        files = sorted(f for f in os.listdir(path) if f.lower().endswith(pictures.ENDINGS))
        return [dict(name=os.path.splitext(f)[0], file=f) for f in files], path
    with open(path, encoding='utf-8') as f:
        return json.load(f), os.path.dirname(os.path.abspath(path))


# ---------------------------------------------------------------- training
def train(a):
    if a.threads:
        torch.set_num_threads(a.threads)
    device = torch.device(a.device)
    torch.backends.cudnn.benchmark = True
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    os.makedirs(a.out, exist_ok=True)
    random.seed(a.seed)
    torch.manual_seed(a.seed)
    if min(a.size, a.style_side) < 96:
        raise SystemExit('--size and --style-side: at least 96, the features look at a quarter of that')
    styles, folder = read_styles(a.styles)
    names, count = [s['name'] for s in styles], len(styles)
    features = Features(a.features).to(device)
    begin = [int(v) for v in a.begin.split(',')] if a.begin else []
    if begin and len(begin) != count:
        raise SystemExit(f'--begin names {len(begin)} styles, and {a.styles} has {count}')
    if a.init:
        net, _ = load_net(a.init)
        if net.config['styles'] != count or a.fresh_styles:
            net.set_styles(count, begin)
    else:
        net = StyleNet(count, [int(v) for v in a.enc.split(',')], [int(v) for v in a.dec.split(',')], a.res)
    net = net.to(device)
    average = StyleNet(**net.config).to(device)
    average.load_state_dict(net.state_dict())
    norms = [p for name, p in net.named_parameters() if name.endswith(('gamma', 'beta'))]
    kernels = [p for name, p in net.named_parameters() if name.endswith('weight')]
    rates = (a.lr * a.norm_lr, a.lr)
    optimizer = torch.optim.Adam([dict(params=norms, lr=rates[0]), dict(params=kernels, lr=rates[1])], betas=(.9, .99))
    content = Content(a.content, a.size)
    paintings = [load_style(os.path.join(folder, s['file']), a.style_side).to(device) for s in styles]
    targets = Targets([vivid(blur(painting, a.style_blur), a.vivid) for painting in paintings], features)

    pool = []  # (picture, style, age): the network's own past outputs
    step, spent, state_path = 0, 0.0, os.path.join(a.out, 'state.pt')  # seconds of the runs before
    if os.path.exists(state_path):
        state = torch.load(state_path, map_location=device, weights_only=True)
        net.load_state_dict(state['net'])
        average.load_state_dict(state['ema'])
        optimizer.load_state_dict(state['opt'])
        step, spent, pool = state['step'], state.get('spent', 0.0), [(x.float().cpu() / 255, style, age) for x, style, age in state['pool']]
        print('resumed at step', step, flush=True)

    def save(tag):
        state = dict(net=net.state_dict(), ema=average.state_dict(), opt=optimizer.state_dict(), step=step, spent=spent + time.time() - started,
                     pool=[((x * 255).byte(), style, age) for x, style, age in pool])
        torch.save(state, state_path + '.tmp')
        os.replace(state_path + '.tmp', state_path)
        save_net(average, os.path.join(a.out, 'style.safetensors'), names, dict(credits=json.dumps(styles), steps=str(step), content=a.note))
        sheet(average, probe, count, os.path.join(a.out, f'{tag}.png'))

    half = torch.autocast(device.type, torch.bfloat16, enabled=a.half)
    probe, started, log, first_step = content.batch(4).to(device), time.time(), {}, step
    while time.time() - started < a.minutes * 60 and step < a.steps:
        # a batch: fresh pictures, and some of the network's own outputs moved as the instrument moves them
        fed_count = min(len(pool), int(round(a.batch * a.pool))) if step >= a.pool_from else 0
        fresh = a.batch - fed_count
        x, style, age = content.batch(fresh).to(device), [random.randrange(count) for _ in range(fresh)], [0] * fresh
        if random.random() < .15:  # fade to flat colour and noise, so that empty input also grows into something
            kept = torch.rand(fresh, 1, 1, 1, device=device)
            flat = torch.rand(fresh, 3, 1, 1, device=device) * .6 + torch.randn_like(x) * .03
            x = (x * kept + flat * (1 - kept)).clamp(0, 1)
        taken = random.sample(range(len(pool)), fed_count)
        if taken:
            x = torch.cat([x, drift(torch.stack([pool[i][0] for i in taken]).to(device))])
            style += [pool[i][1] if random.random() > .08 else random.randrange(count) for i in taken]
            age += [pool[i][2] for i in taken]
        styles_t = torch.tensor(style, device=device)
        fed = torch.tensor([float(n > 0) for n in age], device=device)
        with half:
            y = net(x, one_style(styles_t.cpu(), count).to(device)).float()

        # losses; the features have strides of 2 to 16, so look from every phase of the decoder's lattice
        oy, ox = random.randint(0, 7), random.randint(0, 7)
        y_cut, x_cut = y[:, :, oy:, ox:], x[:, :, oy:, ox:]
        with half:
            y_features, y_half, y_quarter = (features(F.avg_pool2d(y_cut, 2 ** scale)) for scale in range(3))
            with torch.no_grad():
                x_features = [f.float() for f in features(x_cut, CONTENT_TAPS)]
        y_features, y_half, y_quarter = ([f.float() for f in maps] for maps in (y_features, y_half, y_quarter))
        style_loss = sum(targets.style_loss(maps, scale, styles_t) for scale, maps in enumerate((y_features, y_half, y_quarter)))
        content_loss = sum(((f - c) ** 2).mean((1, 2, 3)) / (c ** 2).mean((1, 2, 3)).clamp_min(1e-3)
                           for f, c in zip([y_features[TAPS.index(tap)] for tap in CONTENT_TAPS], x_features))
        content_weight = a.content_weight * (1 - fed * .65)
        colour_loss = targets.colour_loss(y, styles_t)
        weave_loss = targets.weave_loss(y, styles_t)
        variation = (y[:, :, 1:] - y[:, :, :-1]).abs().mean((1, 2, 3)) + (y[:, :, :, 1:] - y[:, :, :, :-1]).abs().mean((1, 2, 3))
        # its own painting must not come back as a still
        still_loss = F.relu(1 - (y - x).abs().mean((1, 2, 3)) / a.alive) ** 2 * fed
        light_loss = ((light(y) - light(x)) ** 2).mean((1, 2)) * (1 - fed)
        loss = (style_loss + content_weight * content_loss + a.colour * colour_loss + a.weave * weave_loss + a.tv * variation + a.low * light_loss + a.still * still_loss).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        progress = max((spent + time.time() - started) / (spent + a.minutes * 60), step / a.steps)
        for group, rate in zip(optimizer.param_groups, rates):
            group['lr'] = rate * min(1.0, (step + 1) / 100) * (1 - progress * .9)
        optimizer.step()
        step += 1

        # moving average, pool
        decay = min(.999, (step + 1) / (step + 10))
        with torch.no_grad():
            for p, q in zip(average.parameters(), net.parameters()):
                p.lerp_(q, 1 - decay)
        if step >= a.pool_from - 200:
            outputs = [(y[i].detach().cpu(), style[i], age[i] + 1) for i in range(a.batch) if age[i] < 100]
            pool = [item for i, item in enumerate(pool) if i not in set(taken)]
            pool += [item for item in outputs if item[2] > 1 or random.random() < .5]
            while len(pool) > a.pool_size:
                pool.pop(random.randrange(len(pool)))

        parts = dict(loss=loss, style=style_loss.mean(), content=content_loss.mean(), colour=colour_loss.mean(), weave=weave_loss.mean(), light=light_loss.mean(), still=still_loss.mean(), tv=variation.mean())
        for name, value in parts.items():
            log.setdefault(name, []).append(float(value.detach()))
        if step % 50 == 0:
            speed = (step - first_step) * a.batch / (time.time() - started)
            oldest = max([age for _, _, age in pool], default=0)
            print(f'step {step} {speed:.1f} img/s ' + ' '.join(f'{k} {np.mean(v):.4f}' for k, v in log.items())
                  + f' pool {len(pool)} oldest {oldest}', flush=True)
            log = {}
        if step % 250 == 0:
            save(f'step{step:06d}')
    save('last')
    print(f'done: {step} steps, {(step - first_step) * a.batch} pictures in {time.time() - started:.0f} s', flush=True)


@torch.no_grad()
def sheet(net, x, styles, path):
    """first row the pictures, then one row for each style"""
    rows = [torch.cat(list(x), 2)]
    for s in range(styles):
        mix = one_style([s], styles).to(x.device)
        rows.append(torch.cat([net(v[None], mix)[0] for v in x], 2))
    save_png(torch.cat(rows, 1), path)


def save_png(x, path):
    Image.fromarray((x.clamp(0, 1) * 255 + .5).byte().permute(1, 2, 0).cpu().numpy()).save(path)


# ---------------------------------------------------------------- the loop test
MARKS = (1, 2, 5, 10, 25, 50, 100)


def measure(before, y):
    """mean, deviation, saturation, fine detail, and change against the picture that went in"""
    blurred = F.avg_pool2d(F.pad(y, (1, 1, 1, 1), mode='reflect'), 3, 1)
    return (f'mean {float(y.mean()):.2f} std {float(y.std()):.2f} sat {float((y.max(1)[0] - y.min(1)[0]).mean()):.2f} '
            f'hf {float((y - blurred).abs().mean()):.3f} change {float((y - before).abs().mean()):.3f}')


@torch.no_grad()
def loop(a):
    if a.threads:
        torch.set_num_threads(a.threads)
    net, metadata = load_net(a.net)
    count = net.config['styles']
    names = json.loads(metadata.get('styles', '[]')) or [str(i) for i in range(count)]
    image = Image.open(a.image).convert('RGB')
    short = min(image.size)
    left, top = (image.width - short) // 2, (image.height - short) // 2
    image = image.crop((left, top, left + short, top + short)).resize((a.size, a.size), Image.BICUBIC)
    original = pictures.tensor(image)[None].float() / 255
    c, s = a.zoom * math.cos(a.turn), a.zoom * math.sin(a.turn)
    matrix = torch.tensor([[[c, -s, 0.], [s, c, 0.]]])
    rows = []
    for style in range(count) if a.style < 0 else [a.style]:
        x, row, figures = original, [original[0]], []
        for n in range(1, a.passes + 1):
            y = net(x, one_style([style], count))
            if n in MARKS:
                row.append(y[0])
                figures.append(f'{n}: ' + measure(x, y))
            x = (1 - a.mix) * move(y, matrix) + a.mix * original
        print(names[style], '|', ' | '.join(figures), flush=True)
        rows.append(torch.cat(row, 2))
    save_png(torch.cat(rows, 1), a.out)


def lift(a):
    """the last gamma of a style times a factor; everything else stays"""
    net, metadata = load_net(a.net)
    names, factors = json.loads(metadata['styles']), [float(v) for v in a.factor.split(',')]
    if len(factors) != (len(names) if a.style < 0 else 1):
        raise SystemExit(f'--factor has {len(factors)} numbers: one is needed for each of the {len(names)} styles, or one with --style')
    known = ('config', 'styles', 'format', 'input', 'output', 'pad', 'norm_eps')
    notes = {k: v for k, v in metadata.items() if k not in known}
    lifted = json.loads(notes.get('lifted', '{}'))
    for style, factor in zip(range(len(names)) if a.style < 0 else [a.style], factors):
        with torch.no_grad():
            net.dec[-1].gamma[style] *= factor
        lifted[names[style]] = factor * lifted.get(names[style], 1.0)
    save_net(net, a.out, names, dict(notes, lifted=json.dumps(lifted)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest='command', required=True)
    option = commands.add_parser('train').add_argument
    option('--content', required=True, help='folders of pictures or tar packs, comma separated')
    option('--styles', required=True, help='a folder with one picture for each style, or a styles.json')
    option('--out', required=True, help='folder to write to; an existing run is resumed')
    option('--features', default=squeezenet.WEIGHTS, help='SqueezeNet weights')
    option('--minutes', type=float, default=30)
    option('--steps', type=int, default=10 ** 9)
    option('--size', type=int, default=256, help='side of the pictures in a batch, at least 96')
    option('--batch', type=int, default=8)
    option('--lr', type=float, default=1e-3)
    option('--norm-lr', type=float, default=2.0, help='learning rate of gamma and beta, as a factor')
    option('--init', default='', help='start from this style network')
    option('--fresh-styles', action='store_true', help='with --init: keep its convolutions, reset the styles')
    option('--begin', default='', help='with --init and fresh styles: the old style that each new one starts from, e.g. 19,13,8')
    option('--enc', default='32,32,32', help='channels of the encoder')
    option('--dec', default='8,4', help='channels of the decoder')
    option('--res', type=int, default=6, help='residual blocks')
    option('--style-side', type=int, default=384, help='short side of the style pictures, at least 96: larger for larger strokes')
    option('--style-blur', type=float, default=.8, help='blur of the style pictures in pixels: takes away canvas and print')
    option('--vivid', type=float, default=1.0, help='saturation of the style pictures')
    option('--content-weight', type=float, default=1.0)
    option('--colour', type=float, default=4.0)
    option('--weave', type=float, default=2.0, help='against stripes and weaves of a few pixels')
    option('--tv', type=float, default=.2)
    option('--low', type=float, default=.5, help='how much the layout of light and dark is kept')
    option('--alive', type=float, default=.028, help='minimum change in a pass over its own painting')
    option('--still', type=float, default=5.0, help='weight of the penalty below that')
    option('--pool', type=float, default=.5, help="share of a batch that is the network's own past output")
    option('--pool-size', type=int, default=256)
    option('--pool-from', type=int, default=500, help='step from which the pool is used')
    option('--half', action='store_true', help='convolutions in bfloat16')
    option('--threads', type=int, default=0)
    option('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    option('--seed', type=int, default=1)
    option('--note', default='', help='describes the pictures; stored in the file')

    option = commands.add_parser('loop').add_argument
    option('--net', required=True)
    option('--image', required=True)
    option('--out', default='loop.png')
    option('--style', type=int, default=-1, help='number of a style; all without it')
    option('--passes', type=int, default=100)
    option('--size', type=int, default=256)
    option('--zoom', type=float, default=.985, help='between two passes')
    option('--turn', type=float, default=.01, help='between two passes, in radians')
    option('--mix', type=float, default=0.0, help='how much of the original comes in again at every pass')
    option('--threads', type=int, default=0)

    option = commands.add_parser('lift').add_argument
    option('--net', required=True)
    option('--out', required=True)
    option('--style', type=int, default=-1, help='number of a style; all without it')
    option('--factor', required=True, help='1.15 is a little more; without --style one for each style, e.g. 1.2,1,1.3')
    a = parser.parse_args()
    dict(train=train, loop=loop, lift=lift)[a.command](a)


if __name__ == '__main__':
    main()
