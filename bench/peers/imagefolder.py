#!/usr/bin/env python3
"""An epoch of PyTorch's ImageFolder: imagefolder.py FOLDER WORKERS. Prints its seconds, without those of the imports."""
import sys
import time

import torch
from torchvision import datasets, transforms

begun = time.monotonic()
pictures = datasets.ImageFolder(sys.argv[1], transform=transforms.PILToTensor())
loader = torch.utils.data.DataLoader(pictures, batch_size=128, shuffle=True, num_workers=int(sys.argv[2]))
assert sum(len(x) for x, _ in loader) == len(pictures)
print(time.monotonic() - begun)
