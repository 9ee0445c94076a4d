/* The geometry of drizzle.h: exact cases, conservation, the point kernel,
 * ranges of rows and coordinates of any size. */
#undef NDEBUG
#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdint.h>

#include "drizzle.h"
#include "drizzle_case.h"

static void
test_identity(void)
{
    scene s;

    shift_scene(&s, 5, 5, 0.0, 0.0);
    run(&s);
    for (size_t k = 0; k < 25; k++) {
        assert(s.out_weight[k] == 1.0);
        assert(s.out_sum[k] == (double)(k + 1));
        assert(s.out_sum[25 + k] == 10.0 * (double)(k + 1));
        assert(s.out_dq[k] == (uint32_t)1 << (k / 5));
        assert(s.out_context[k] == 4);
    }
    run(&s); /* adds, does not clear */
    assert(s.out_weight[7] == 2.0 && s.out_sum[7] == 16.0);
}

static void
test_half_pixel_shift(void)
{
    scene s;

    shift_scene(&s, 4, 4, 0.5, 0.0);
    run(&s);
    for (size_t j = 0; j < 4; j++) {
        assert(s.out_weight[4 * j] == 0.5);
        assert(s.out_sum[4 * j] == 0.5 * (double)(4 * j + 1));
        for (size_t i = 1; i < 4; i++) {
            assert(s.out_weight[4 * j + i] == 1.0);
            assert(s.out_sum[4 * j + i] == (double)(4 * j + i) + 0.5);
        }
    }
    shift_scene(&s, 4, 4, 0.0, -0.5);
    run(&s);
    assert(s.out_weight[0] == 1.0 && s.out_weight[12] == 0.5);
    assert(s.out_dq[0] == 3 && s.out_dq[12] == 8);
}

/* Each pixel covers 2 x 2 cells exactly; or four pixels share one cell. */
static void
test_scale(void)
{
    double finer[6] = {2.0, 0.0, 0.5, 0.0, 2.0, 0.5};
    double coarser[6] = {0.5, 0.0, -0.25, 0.0, 0.5, -0.25};
    scene s;

    set_scene(&s, 3, 6, finer);
    run(&s);
    for (size_t k = 0; k < 36; k++) {
        size_t pixel = (k / 12) * 3 + (k % 6) / 2;

        assert(s.out_weight[k] == 0.25);
        assert(s.out_sum[k] == 0.25 * (double)(pixel + 1));
    }
    set_scene(&s, 4, 2, coarser);
    run(&s);
    for (size_t k = 0; k < 4; k++)
        assert(s.out_weight[k] == 4.0);
    assert(s.out_sum[0] == 1.0 + 2.0 + 5.0 + 6.0);
    assert(s.out_dq[0] == 3 && s.out_dq[2] == 12);
}

/* Weight is conserved on the grid, whatever the angle, pixfrac and shape:
 * 6 x 6 square pixels, or 2 x 2 of 5.5 x 0.5 cells, which make lines that
 * cross many cells of a row. */
static void
test_rotation(void)
{
    for (int degrees = 0; degrees < 360; degrees += 15)
        for (int tenths = 1; tenths <= 20; tenths += 3) {
            int wide = tenths > 10;
            double middle = wide ? 0.5 : 2.5;
            double angle = degrees * acos(-1.0) / 180.0;
            double c = cos(angle), n = sin(angle);
            double a = wide ? 5.5 : 1.0, b = wide ? 0.5 : 1.0;
            double map[6] = {a * c, -b * n, 5.3 - middle * (a * c - b * n),
                             a * n, b * c,  5.6 - middle * (a * n + b * c)};
            scene s;

            set_scene(&s, wide ? 2 : 6, SIDE, map);
            s.in.pixfrac = 0.1 * (wide ? tenths - 10 : tenths);
            run(&s);
            assert(is_close(total(s.out_weight), wide ? 4.0 : 36.0));
            for (size_t k = 0; k < N_CELL; k++) {
                assert((s.out_context[k] == 4) == (s.out_weight[k] > 0.0));
                assert((s.out_dq[k] != 0) == (s.out_weight[k] > 0.0));
            }
        }
}

/* A square on its corner: the diamond |x| + |y| <= 1 on nine cells. */
static void
test_diamond(void)
{
    double map[6] = {1.0, -1.0, 2.0, 1.0, 1.0, 1.0};
    scene s;

    set_scene(&s, 2, 5, map);
    s.weight[1] = s.weight[2] = s.weight[3] = 0.0f; /* pixel 0 at (1, 2) */
    run(&s);
    assert(is_close(s.out_weight[5 * 1 + 2], 0.5));
    assert(is_close(s.out_weight[5 * 1 + 1], 0.125));
    assert(is_close(s.out_weight[5 * 0 + 2], 0.125));
    assert(is_close(s.out_weight[5 * 2 + 2], 0.125));
    assert(is_close(s.out_weight[5 * 1 + 3], 0.125));
    assert(is_close(total(s.out_weight), 1.0));
    assert(s.out_weight[0] == 0.0 && s.out_dq[0] == 0);
}

static void
test_mirror(void)
{
    double map[6] = {-1.0, 0.0, 4.0, 0.0, 1.0, 0.0};
    scene s;

    set_scene(&s, 5, 5, map);
    run(&s);
    for (size_t k = 0; k < 25; k++) {
        size_t pixel = k - k % 5 + (4 - k % 5);

        assert(s.out_weight[k] == 1.0);
        assert(s.out_sum[k] == (double)(pixel + 1));
        assert(s.out_context[k] == 4);
    }
}

/* Shifted by 3/8, half-size pixels fall across cells as 0.75 : 0.25. */
static void
test_pixfrac(void)
{
    scene s;

    shift_scene(&s, 3, 5, 0.375, 0.0);
    s.in.pixfrac = 0.5;
    run(&s);
    assert(is_close(s.out_weight[0], 0.75));
    assert(is_close(s.out_weight[1], 1.0));
    assert(is_close(s.out_weight[3], 0.25));
    assert(is_close(s.out_sum[1], 0.25 * 1.0 + 0.75 * 2.0));
    assert(is_close(total(s.out_weight), 9.0));
}

static void
test_point(void)
{
    static const double x[6] = {0.5,  -0.5, 1.49, 0.49999999999999994,
                                -0.4, 2.5};
    static const int cell[6] = {1, -1, 1, 0, 0, -1};

    for (size_t k = 0; k < 6; k++) {
        scene s;

        shift_scene(&s, 1, 3, x[k], 1.0);
        s.in.kernel = WW_KERNEL_POINT;
        run(&s);
        assert(total(s.out_weight) == (cell[k] < 0 ? 0.0 : 1.0));
        if (cell[k] >= 0)
            assert(s.out_sum[3 + cell[k]] == 1.0);
    }
}

static void
check_row_ranges(size_t n_in, const double map[6], int kernel, size_t band)
{
    scene whole, split;

    set_scene(&whole, n_in, SIDE, map);
    set_scene(&split, n_in, SIDE, map);
    whole.in.kernel = split.in.kernel = kernel;
    whole.map_x[n_in + 1] = split.map_x[n_in + 1] = (double)NAN;
    whole.map_y[n_in + 2] = split.map_y[n_in + 2] = INFINITY;
    run(&whole);
    assert(total(whole.out_weight) > 0.0);
    for (size_t start = 0; start < SIDE; start += band) {
        size_t stop = start + band < SIDE ? start + band : SIDE;

        for (size_t c = start * SIDE; c < N_CELL; c++)
            assert(split.out_weight[c] == 0.0);
        assert(ww_drizzle_add(&split.in, &split.out, start, stop) == WW_OK);
    }
    for (size_t k = 0; k < N_CELL; k++) {
        assert(whole.out_weight[k] == split.out_weight[k]);
        assert(whole.out_sum[k] == split.out_sum[k]);
        assert(whole.out_sum[N_CELL + k] == split.out_sum[N_CELL + k]);
        assert(whole.out_dq[k] == split.out_dq[k]);
        assert(whole.out_context[k] == split.out_context[k]);
    }
}

/* Any division of the rows gives the same numbers, and rows outside the
 * range stay as they were; also with pixels of several cells, whose
 * extrapolated corners lie far from all centres. */
static void
test_row_ranges(void)
{
    double fine[6] = {0.8, -0.5, 3.1, 0.6, 0.9, 0.2};
    double coarse[6] = {3.0, -1.5, 4.1, 2.5, 3.5, 1.3};

    for (int kernel = 0; kernel < 2; kernel++)
        for (size_t band = 1; band <= SIDE; band++) {
            check_row_ranges(9, fine, kernel, band);
            check_row_ranges(4, coarse, kernel, band);
        }
}

/* A pixel far larger than the grid covers every cell alike; beyond 1e12
 * cells nothing is left; no size is a hazard. */
static void
test_huge_coordinates(void)
{
    static const double size[] = {100.0, 1e5,   1e7,    1e20,
                                  1e155, 1e300, DBL_MAX};
    scene s;

    for (size_t k = 0; k < sizeof size / sizeof size[0]; k++) {
        double map[6] = {size[k], 0.0, 2.0, 0.0, size[k], 2.0};

        set_scene(&s, 2, 5, map);
        s.weight[1] = s.weight[2] = s.weight[3] = 0.0f;
        run(&s);
        for (size_t c = 0; c < 25; c++) {
            double share = size[k] < 1e6 ? 1.0 / (size[k] * size[k]) : 0.0;

            assert(fabs(s.out_weight[c] - share) <= 1e-9 * share);
        }
        for (int corner = 0; corner < 16; corner++) {
            set_scene(&s, 2, 5, map);
            for (size_t c = 0; c < 4; c++)
                s.map_x[c] *= corner >> c & 1 ? -1.0 : 1e-3;
            run(&s);
            for (size_t c = 0; c < 4; c++)
                s.map_y[c] = corner >> c & 1 ? size[k] : -DBL_MIN;
            s.in.pixfrac = 0.3;
            run(&s);
        }
    }
    shift_scene(&s, 3, 3, 1e300, -1e300);
    run(&s);
    s.in.kernel = WW_KERNEL_POINT;
    run(&s);
    assert(total(s.out_weight) == 0.0);
}

static void
test_zero_area(void)
{
    double map[6] = {1.0, 1.0, 0.0, 1.0, 1.0, 0.0};
    scene s;

    set_scene(&s, 3, 5, map);
    run(&s);
    assert(total(s.out_weight) == 0.0);
}

int
main(void)
{
    test_identity();
    test_half_pixel_shift();
    test_scale();
    test_rotation();
    test_diamond();
    test_mirror();
    test_pixfrac();
    test_point();
    test_row_ranges();
    test_huge_coordinates();
    test_zero_area();
    return 0;
}
