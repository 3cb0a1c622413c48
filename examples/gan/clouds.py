"""How many of the points in fake.npz lie in each of the eight clouds, within three deviations of its centre."""

import numpy as np

angle = np.arange(8) * np.pi / 4
centres = 2 * np.stack([np.cos(angle), np.sin(angle)], -1)
with np.load("fake.npz") as outputs:
    distance = np.linalg.norm(outputs["fake"][:, None] - centres, axis=-1)
near = distance.min(1) < 3 * 0.2
print(f"in the clouds: {near.mean():.2f} of all; cloud by cloud {np.bincount(distance.argmin(1)[near], minlength=8)}")
