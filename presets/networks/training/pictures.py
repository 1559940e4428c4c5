"""Pictures for training: from plain folders, from tar packs, or from both.

A folder is read with everything below it; the name of a subfolder is the class of its pictures.
A tar pack may hold `index.jsonl`, one JSON record per picture with `file`, `label` and other fields;
a folder may hold the same file.
"""
import io
import json
import math
import os
import random
import tarfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from PIL import Image

ENDINGS = ('.jpg', '.jpeg', '.png', '.webp')


def parse_index(text):
    return {r['file']: r for r in map(json.loads, text.splitlines()) if r}


def read_folder(path):
    """-> list of (bytes, record)"""
    index_path, index, found = os.path.join(path, 'index.jsonl'), {}, []
    if os.path.exists(index_path):
        with open(index_path, encoding='utf-8') as f:
            index = parse_index(f.read())
    for folder, subfolders, files in os.walk(path):
        subfolders.sort()
        label = '' if os.path.samefile(folder, path) else os.path.basename(folder)
        for name in sorted(files):
            if not name.lower().endswith(ENDINGS):
                continue
            with open(os.path.join(folder, name), 'rb') as f:
                relative = os.path.relpath(os.path.join(folder, name), path)
                found.append((f.read(), index.get(relative, {'label': label})))
    return found


def read_tar(path):
    """-> list of (bytes, record)"""
    with tarfile.open(path) as tar:
        members = [m for m in tar.getmembers() if m.isfile()]
        index = {}
        if any(m.name == 'index.jsonl' for m in members):
            index = parse_index(tar.extractfile('index.jsonl').read().decode())
        return [(tar.extractfile(m).read(), index.get(m.name, {})) for m in members if m.name.lower().endswith(ENDINGS)]


def read(paths, where=''):
    """All pictures of comma separated folders and tars; `where` keeps those with a field of the index, e.g. view=close."""
    found = [item for path in paths.split(',') for item in (read_folder(path) if os.path.isdir(path) else read_tar(path))]
    if where:
        field, value = where.split('=')
        found = [(data, record) for data, record in found if field not in record or str(record[field]) == value]
    if not found:
        raise SystemExit(f'no jpg, png or webp pictures in {paths}' + (f' with {where}' if where else ''))
    return found


def decode(data):
    return Image.open(io.BytesIO(data)).convert('RGB')


def tensor(image):
    """-> bytes [3, H, W]"""
    return torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1)


def load_squares(paths, size, crops=0, seed=0, where=''):
    """-> bytes [N, 3, size, size], class numbers [N], class names.

    The middle square of each picture; with `crops`, that many squares at random places and scales of each
    picture larger than `size`.
    """
    rnd = random.Random(seed)

    def squares(item):
        image, label = decode(item[0]), item[1].get('label', '')
        short = min(image.size)
        boxes = [((image.width - short) // 2, (image.height - short) // 2, short)]
        if crops and short > size:
            boxes, smallest = [], max(size * .8, short * .3)
            for _ in range(crops):
                side = int(short * math.exp(rnd.uniform(math.log(smallest / short), 0)))
                boxes.append((rnd.randint(0, image.width - side), rnd.randint(0, image.height - side), side))
        out = []
        for x, y, side in boxes:
            square = image.crop((x, y, x + side, y + side))
            if side != size:
                square = square.resize((size, size), Image.LANCZOS if side > size else Image.BICUBIC)
            out.append((tensor(square), label))
        return out

    with ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as pool:
        found = [pair for pairs in pool.map(squares, read(paths, where)) for pair in pairs]
    names = sorted({label for _, label in found})
    return torch.stack([t for t, _ in found]), torch.tensor([names.index(label) for _, label in found]), names
