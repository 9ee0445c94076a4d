"""The drizzle kernel alone, on one thread."""

from __future__ import annotations

import numpy as np

from webbweave._kernels import drizzle

SIZE = 2048
ANGLE = np.deg2rad(1.0)
KERNELS = {"square": drizzle.KERNEL_SQUARE, "point": drizzle.KERNEL_POINT}


class Drizzle:
    """One exposure of 2048 x 2048 pixels, turned by 1 degree, onto a grid of that size."""

    params = (["square", "point"], [1.0, 0.8, 0.5], [1, 4])
    param_names = ("kernel", "pixfrac", "planes")
    warmup_time = 0.0

    def setup(self, kernel: str, pixfrac: float, planes: int) -> None:
        if kernel == "point" and pixfrac != 1.0:
            raise NotImplementedError  # pixfrac has no meaning for the point kernel
        y, x = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
        self.map_x = x * np.cos(ANGLE) - y * np.sin(ANGLE) + (SIZE - 1) / 2
        self.map_y = x * np.sin(ANGLE) + y * np.cos(ANGLE) + (SIZE - 1) / 2
        rng = np.random.default_rng(20260821)
        self.value = rng.standard_normal((planes, SIZE, SIZE), dtype=np.float32)
        self.weight = np.ones((SIZE, SIZE), dtype=np.float32)
        self.out_weight = np.zeros((SIZE, SIZE))
        self.out_sum = np.zeros((planes, SIZE, SIZE))
        self.out_context = np.zeros((SIZE, SIZE), dtype=np.uint32)

    def time_add(self, kernel: str, pixfrac: float, planes: int) -> None:
        drizzle.drizzle_add(
            self.map_x,
            self.map_y,
            self.value,
            self.weight,
            None,
            self.out_weight,
            self.out_sum,
            None,
            self.out_context,
            pixfrac=pixfrac,
            kernel=KERNELS[kernel],
            edge=drizzle.EDGE_JACOBIAN,
            nan_rule=drizzle.NAN_SKIP,
            context_bit=1,
            row_start=0,
            row_stop=SIZE,
        )
