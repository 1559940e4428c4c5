#!/usr/bin/env python3
"""Draws fractal flames with rotational symmetry: pictures to train a network on, without anybody's rights in them.

After "The Fractal Flame Algorithm" (Draves and Reckase 2003), written from the paper: points wander under randomly chosen maps, and
a pixel's brightness is the logarithm of how often they passed it.  Dull pictures are thrown away, so that a seed may give none.

    python flames.py --count 800 --out flames
"""
import argparse
import json
import math
import multiprocessing
import os

import numpy as np
from PIL import Image, ImageFilter

WALKERS = 8192
SETTLE = 30  # steps before the first point is drawn
OVERSAMPLE = 2


def linear(x, y):
    return x, y


def sinusoidal(x, y):
    return np.sin(x), np.sin(y)


def spherical(x, y):
    r2 = x * x + y * y + 1e-9
    return x / r2, y / r2


def swirl(x, y):
    r2 = x * x + y * y
    sin, cos = np.sin(r2), np.cos(r2)
    return x * sin - y * cos, x * cos + y * sin


def horseshoe(x, y):
    r = np.hypot(x, y) + 1e-9
    return (x - y) * (x + y) / r, 2 * x * y / r


def handkerchief(x, y):
    angle, r = np.arctan2(x, y), np.hypot(x, y)
    return r * np.sin(angle + r), r * np.cos(angle - r)


def disc(x, y):
    angle, r = np.arctan2(x, y) / math.pi, np.hypot(x, y) * math.pi
    return angle * np.sin(r), angle * np.cos(r)


def spiral(x, y):
    angle, r = np.arctan2(x, y), np.hypot(x, y) + 1e-9
    return (np.cos(angle) + np.sin(r)) / r, (np.sin(angle) - np.cos(r)) / r


def diamond(x, y):
    angle, r = np.arctan2(x, y), np.hypot(x, y)
    return np.sin(angle) * np.cos(r), np.cos(angle) * np.sin(r)


def eyefish(x, y):
    scale = 2 / (np.hypot(x, y) + 1)
    return x * scale, y * scale


def bubble(x, y):
    scale = 4 / (x * x + y * y + 4)
    return x * scale, y * scale


def cylinder(x, y):
    return np.sin(x), y


VARIATIONS = (linear, sinusoidal, spherical, swirl, horseshoe, handkerchief, disc, spiral, diamond, eyefish, bubble, cylinder)


class Map:
    """x -> variation(affine(x)), with a colour and how often it is chosen"""

    def __init__(self, rng):
        turn, skew = rng.uniform(0, 2 * math.pi, 2)
        a, b = rng.uniform(0.3, 1.1, 2)
        self.affine = np.array([[a * math.cos(turn), -b * math.sin(skew), rng.normal(0, 0.6)],
                                [a * math.sin(turn), b * math.cos(skew), rng.normal(0, 0.6)]])
        kinds = rng.choice(len(VARIATIONS), rng.integers(1, 3), replace=False)
        self.variations = [(VARIATIONS[k], rng.uniform(0.4, 1)) for k in kinds]
        self.colour = rng.uniform()
        self.often = rng.uniform(0.3, 1)

    def __call__(self, x, y):
        (a, b, c), (d, e, f) = self.affine
        u, v = a * x + b * y + c, d * x + e * y + f
        x, y = np.zeros_like(u), np.zeros_like(v)
        for variation, weight in self.variations:
            p, q = variation(u, v)
            x += weight * p
            y += weight * q
        return x, y


def palette(rng):
    """256 colours on a smooth way through two or three hues, light at places"""
    t = np.linspace(0, 1, 256)[:, None]
    phase, speed = rng.uniform(0, 1, 3), rng.uniform(0.4, 1.3, 3)
    return np.clip(0.55 + 0.5 * np.cos(2 * math.pi * (phase + speed * t)), 0.02, 1)


def wander(rng, maps, points):
    """yields x, y and colour of all walkers, step by step"""
    often = np.array([one.often for one in maps])
    x, y = rng.uniform(-1, 1, (2, WALKERS))
    colour = rng.uniform(0, 1, WALKERS)
    for step in range(SETTLE + max(1, points // WALKERS)):
        chosen = rng.choice(len(maps), WALKERS, p=often / often.sum())
        for k, one in enumerate(maps):
            here = chosen == k
            x[here], y[here] = one(x[here], y[here])
            colour[here] = (colour[here] + one.colour) / 2
        lost = ~((np.abs(x) < 1e5) & (np.abs(y) < 1e5))
        x[lost], y[lost] = rng.uniform(-1, 1, (2, lost.sum()))
        if step >= SETTLE:
            yield x.copy(), y.copy(), colour.copy(), ~lost


def turned(x, y, order, is_mirrored):
    """the copies of a point under the symmetry"""
    for side in (1, -1)[:1 + is_mirrored]:
        for k in range(order):
            cos, sin = math.cos(2 * math.pi * k / order), math.sin(2 * math.pi * k / order)
            yield cos * side * x - sin * y, sin * side * x + cos * y


def render(seed, res, points):
    """an RGB picture of res x res bytes and what it is, or None for a dull one"""
    rng = np.random.default_rng(seed)
    maps = [Map(rng) for _ in range(rng.integers(2, 5))]
    colours = palette(rng)
    order, is_mirrored = int(rng.choice([3, 3, 4, 4, 5, 5, 6, 6, 7, 8])), bool(rng.uniform() < 0.3)
    side = res * OVERSAMPLE
    sums, half = np.zeros((4, side * side)), None
    for x, y, colour, is_kept in wander(rng, maps, points // (order * (1 + is_mirrored))):
        if half is None:
            half = 1.1 * np.quantile(np.hypot(x, y)[is_kept], 0.95)
            if not 1e-3 < half < 500:
                return None
        rgb = colours[np.clip((colour * 255).astype(int), 0, 255)]
        for u, v in turned(x, y, order, is_mirrored):
            at_x, at_y = ((w / half + 1) * side / 2 for w in (u, v))
            inside = is_kept & (at_x >= 0) & (at_x < side) & (at_y >= 0) & (at_y < side)
            index = at_y[inside].astype(int) * side + at_x[inside].astype(int)
            for channel in range(3):
                sums[channel] += np.bincount(index, rgb[inside, channel], side * side)
            sums[3] += np.bincount(index, minlength=side * side)
    picture = developed(rng, sums.reshape(4, side, side), res)
    facts = judged(picture)
    return facts and (picture, dict(seed=seed, symmetry=order, mirrored=is_mirrored, **facts))


def developed(rng, sums, res):
    """log density, smoother where it is low, as bytes"""
    density = sums[3]
    light = np.log1p(density * rng.uniform(0.8, 3) / density.mean()) / np.maximum(density, 1)
    light = (sums[:3] * light).transpose(1, 2, 0)
    white = max(np.quantile(light.max(2), 0.985) * rng.uniform(0.75, 1), 1e-9)
    light = light / white
    image = Image.fromarray((np.clip(light / 4, 0, 1) * 255).astype(np.uint8))
    soft = np.asarray(image.filter(ImageFilter.GaussianBlur(2))).astype(np.float32) / 255 * 4
    sure = np.clip(density / 12, 0, 1)[:, :, None] ** 0.5
    light = sure * light + (1 - sure) * soft
    light = light.reshape(res, OVERSAMPLE, res, OVERSAMPLE, 3).mean((1, 3))
    brightest = light.max(2, keepdims=True)
    value = np.minimum(brightest, 1) ** (1 / rng.uniform(2, 2.6)) * (light / np.maximum(brightest, 1e-9)) ** (1 / 2.2)
    value += (1 - value) * np.clip(1 - 1 / np.maximum(brightest, 1e-9), 0, 1) * 0.75
    return (np.clip(value, 0, 1) * 255 + 0.5).astype(np.uint8)


def judged(picture):
    """what matters of a picture, or None for one that is too dark, flat, grey, empty or full"""
    light = picture.astype(np.float32) / 255
    mean, deviation = float(light.mean()), float(light.mean(2).std())
    chroma = float((light.max(2) - light.min(2)).mean())
    cover = float((light.max(2) > 0.12).mean())
    soft = np.asarray(Image.fromarray(picture).filter(ImageFilter.MedianFilter(3))).astype(np.float32) / 255
    speckle = float(np.abs(light - soft).mean())
    is_good = 0.06 <= mean <= 0.55 and deviation >= 0.1 and chroma >= 0.07 and 0.25 <= cover <= 0.97 and speckle <= 0.044
    return dict(mean=round(mean, 3), chroma=round(chroma, 3), cover=round(cover, 3)) if is_good else None


def attempt(job):
    seed, res, points = job
    with np.errstate(all='ignore'):
        return render(seed, res, points)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    option = parser.add_argument
    option('--count', type=int, default=800, help='how many pictures to keep')
    option('--res', type=int, default=256, help='width and height in pixels')
    option('--points', type=int, default=3_000_000, help='points of each picture: more are smoother')
    option('--seed', type=int, default=1, help='the first seed')
    option('--workers', type=int, default=os.cpu_count())
    option('--out', required=True, help='folder to write to')
    args = parser.parse_args()
    os.makedirs(args.out, exist_ok=True)
    kept = 0
    with multiprocessing.Pool(args.workers) as pool, open(os.path.join(args.out, 'index.jsonl'), 'w') as index:
        jobs = ((seed, args.res, args.points) for seed in range(args.seed, args.seed + 100 * args.count))
        for made in pool.imap(attempt, jobs):
            if made is None:
                continue
            picture, facts = made
            name = f'flame-{facts["seed"]}.png'
            Image.fromarray(picture).save(os.path.join(args.out, name))
            index.write(json.dumps(dict(file=name, **facts)) + '\n')
            kept += 1
            if kept == args.count:
                break
        pool.terminate()
    print(f'{kept} pictures in {args.out}')


if __name__ == '__main__':
    main()
