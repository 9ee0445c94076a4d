/* Exact cases, masked cases, sizes 0 and 1 and every error of drizzle.h. */
#undef NDEBUG
#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "drizzle.h"

enum { SIDE = 12, N_PLANE = 2, N_CELL = SIDE * SIDE };

/* One exposure and one grid, with room for SIDE x SIDE of each. */
typedef struct {
    double map_x[N_CELL], map_y[N_CELL];
    float value[N_PLANE * N_CELL], weight[N_CELL];
    uint32_t dq[N_CELL];
    double out_weight[N_CELL], out_sum[N_PLANE * N_CELL];
    uint32_t out_dq[N_CELL], out_context[N_CELL];
    ww_drizzle_input in;
    ww_drizzle_output out;
} scene;

/* The linear map x = a i + b j + x0, y = c i + d j + y0 from n_in x n_in
 * pixels to n_out x n_out cells; values 1, 2, ... and ten times that in the
 * second plane; weights 1; the bit of the pixel's row as data quality. */
static void
set_scene(scene *s, size_t n_in, size_t n_out, const double map[6])
{
    memset(s, 0, sizeof *s);
    for (size_t k = 0; k < n_in * n_in; k++) {
        double i = (double)(k % n_in), j = (double)(k / n_in);

        s->map_x[k] = map[0] * i + map[1] * j + map[2];
        s->map_y[k] = map[3] * i + map[4] * j + map[5];
        s->value[k] = (float)(k + 1);
        s->value[n_in * n_in + k] = (float)(10 * (k + 1));
        s->weight[k] = 1.0f;
        s->dq[k] = (uint32_t)1 << (k / n_in);
    }
    s->in = (ww_drizzle_input){.ny = n_in,
                               .nx = n_in,
                               .n_plane = N_PLANE,
                               .map_x = s->map_x,
                               .map_y = s->map_y,
                               .value = s->value,
                               .weight = s->weight,
                               .dq = s->dq,
                               .pixfrac = 1.0,
                               .context_bit = 4};
    s->out = (ww_drizzle_output){.ny = n_out,
                                 .nx = n_out,
                                 .weight = s->out_weight,
                                 .sum = s->out_sum,
                                 .dq = s->out_dq,
                                 .context = s->out_context};
}

static void
shift_scene(scene *s, size_t n_in, size_t n_out, double x0, double y0)
{
    double map[6] = {1.0, 0.0, x0, 0.0, 1.0, y0};

    set_scene(s, n_in, n_out, map);
}

static void
run(scene *s)
{
    assert(ww_drizzle_add(&s->in, &s->out, 0, s->out.ny) == WW_OK);
}

static double
total(const double *a)
{
    double sum = 0.0;

    for (size_t k = 0; k < N_CELL; k++)
        sum += a[k];
    return sum;
}

static int
is_close(double a, double b)
{
    return fabs(a - b) <= 1e-13 * (1.0 + fabs(b));
}

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

/* A hole in the map at (2, 2) of 5 x 5: the skip rule loses the ring. */
static void
test_missing_neighbour(void)
{
    for (int both = 0; both < 2; both++) {
        scene s;

        shift_scene(&s, 5, 5, 0.0, 0.0);
        s.map_x[12] = (double)NAN;
        if (both)
            s.map_y[12] = (double)NAN;
        run(&s);
        for (size_t k = 0; k < 25; k++)
            assert(s.out_weight[k] == (k == 12 ? 0.0 : 1.0));
        shift_scene(&s, 5, 5, 0.0, 0.0);
        s.map_x[12] = both ? INFINITY : (double)NAN;
        s.in.edge = WW_EDGE_SKIP;
        run(&s);
        for (size_t k = 0; k < 25; k++) {
            int ring = k / 5 >= 1 && k / 5 <= 3 && k % 5 >= 1 && k % 5 <= 3;

            assert(s.out_weight[k] == (ring ? 0.0 : 1.0));
        }
    }
}

/* Which difference is taken: the map is 0, 1, 3 along x, so the right-hand
 * step of the middle pixel is 2 and the left-hand one is 1. */
static void
test_one_sided_steps(void)
{
    static const double x[3] = {0.0, 1.0, 3.0};
    scene s;

    shift_scene(&s, 3, 5, 0.0, 0.0);
    for (size_t k = 0; k < 9; k++) {
        s.map_x[k] = x[k % 3];
        s.weight[k] = k == 4 ? 1.0f : 0.0f;
    }
    s.map_x[0] = s.map_x[8] = (double)NAN; /* corners only: own side */
    run(&s);
    assert(is_close(s.out_weight[5 + 1], 1.0 / 1.5));
    assert(is_close(s.out_weight[5 + 2], 0.5 / 1.5));
    memset(s.out_weight, 0, sizeof s.out_weight);
    s.map_x[5] = (double)NAN; /* now the left-hand step on both sides */
    run(&s);
    assert(is_close(s.out_weight[5 + 1], 1.0));
    assert(s.out_weight[5 + 2] == 0.0);
    memset(s.out_weight, 0, sizeof s.out_weight);
    s.map_x[3] = (double)NAN; /* no neighbour along x: left out */
    run(&s);
    assert(total(s.out_weight) == 0.0);
}

static void
test_values_that_are_not_finite(void)
{
    scene s;

    shift_scene(&s, 3, 3, 0.5, 0.0);
    s.value[4] = NAN;
    run(&s);
    assert(s.out_weight[4] == 0.5 && s.out_weight[5] == 0.5);
    assert(s.out_sum[4] == 0.5 * 4.0);
    assert(s.out_sum[9 + 4] == 0.5 * 40.0);
    shift_scene(&s, 3, 3, 0.5, 0.0);
    s.value[4] = NAN;
    s.in.nan_rule = WW_NAN_POISON;
    run(&s);
    assert(s.out_weight[4] == 1.0 && s.out_weight[5] == 1.0);
    assert(isnan(s.out_sum[4]) && isnan(s.out_sum[5]));
    assert(s.out_sum[9 + 4] == 45.0 && isfinite(s.out_sum[3]));
    shift_scene(&s, 3, 3, 0.5, 0.0);
    s.value[9 + 4] = NAN; /* another plane spoils only itself */
    run(&s);
    assert(s.out_weight[4] == 1.0 && s.out_sum[4] == 4.5);
    assert(isnan(s.out_sum[9 + 4]) && isfinite(s.out_sum[9 + 3]));
}

static void
test_weights(void)
{
    scene s;

    for (int kernel = 0; kernel < 2; kernel++) {
        shift_scene(&s, 3, 3, 0.0, 0.0);
        s.in.kernel = kernel;
        s.in.nan_rule = WW_NAN_POISON;
        s.weight[0] = 0.0f; /* never matters, NaN value or not */
        s.value[0] = NAN;
        s.weight[1] = NAN;
        s.weight[2] = -2.0f;
        s.weight[3] = INFINITY;
        s.weight[5] = 0.25f;
        run(&s);
        assert(s.out_weight[0] == 0.0 && s.out_sum[0] == 0.0);
        assert(s.out_dq[0] == 0 && s.out_context[0] == 0);
        assert(s.out_weight[1] == 0.0 && s.out_context[1] == 0);
        assert(s.out_weight[2] == -2.0 && s.out_sum[2] == -6.0);
        assert(s.out_dq[2] == 1 && s.out_context[2] == 0);
        assert(isinf(s.out_weight[3]) && s.out_context[3] == 4);
        assert(s.out_weight[5] == 0.25 && s.out_sum[5] == 1.5);
    }
}

static void
test_optional_arrays(void)
{
    scene s;

    shift_scene(&s, 3, 3, 0.0, 0.0);
    s.in.dq = NULL;
    run(&s);
    assert(s.out_dq[4] == 0 && s.out_context[4] == 4);
    shift_scene(&s, 3, 3, 0.0, 0.0);
    s.out.dq = s.out.context = NULL;
    run(&s);
    assert(s.out_dq[4] == 0 && s.out_weight[4] == 1.0);
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

/* Resample_spec, D11: a shift of -3.7 leaves 0.3 of a pixel's width on the
 * border cell of a pixel whose centre is off the grid. */
static void
test_centre_inside(void)
{
    static const double shift[2] = {-3.7, -3.2};

    for (int k = 0; k < 2; k++)
        for (int inside = 0; inside < 2; inside++) {
            double border = k == 0 && inside ? 0.7 : 1.0;
            scene s;

            shift_scene(&s, 10, 6, shift[k], 0.0);
            s.in.centre_inside = inside;
            run(&s);
            assert(is_close(s.out_weight[0], border));
            assert(is_close(s.out_weight[6 * 5], border));
            assert(is_close(s.out_weight[1], 1.0));
        }
}

static void
test_size_one(void)
{
    scene s;

    shift_scene(&s, 1, 1, 0.0, 0.0);
    run(&s);
    assert(s.out_weight[0] == 0.0); /* no derivative */
    s.in.edge = WW_EDGE_SKIP;
    run(&s);
    assert(s.out_weight[0] == 0.0);
    s.in.kernel = WW_KERNEL_POINT;
    run(&s);
    assert(s.out_weight[0] == 1.0);
    shift_scene(&s, 5, 5, 0.0, 0.0);
    s.in.ny = 1; /* one row, and one column of the same map */
    run(&s);
    s.in.ny = 5, s.in.nx = 1;
    run(&s);
    assert(total(s.out_weight) == 0.0);
    shift_scene(&s, 5, 1, -2.0, -2.0);
    run(&s);
    assert(s.out_weight[0] == 1.0 && s.out_sum[0] == 13.0);
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

static void
expect(int status, scene *s, size_t start, size_t stop)
{
    assert(ww_drizzle_add(&s->in, &s->out, start, stop) == status);
    assert(total(s->out_weight) == 0.0);
    shift_scene(s, 3, 3, 0.0, 0.0);
}

static void
test_errors(void)
{
    scene s;

    shift_scene(&s, 3, 3, 0.0, 0.0);
    s.in.ny = 0, expect(WW_ERR_SHAPE, &s, 0, 3);
    s.in.nx = 0, expect(WW_ERR_SHAPE, &s, 0, 3);
    s.in.n_plane = 0, expect(WW_ERR_SHAPE, &s, 0, 3);
    s.out.ny = 0, expect(WW_ERR_SHAPE, &s, 0, 0);
    s.out.nx = 0, expect(WW_ERR_SHAPE, &s, 0, 3);
    expect(WW_ERR_RANGE, &s, 2, 1);
    expect(WW_ERR_RANGE, &s, 0, 4);
    s.in.kernel = 2, expect(WW_ERR_ARGUMENT, &s, 0, 3);
    s.in.edge = -1, expect(WW_ERR_ARGUMENT, &s, 0, 3);
    s.in.nan_rule = 2, expect(WW_ERR_ARGUMENT, &s, 0, 3);
    s.in.pixfrac = 0.0, expect(WW_ERR_ARGUMENT, &s, 0, 3);
    s.in.pixfrac = 1.1, expect(WW_ERR_ARGUMENT, &s, 0, 3);
    s.in.pixfrac = (double)NAN, expect(WW_ERR_ARGUMENT, &s, 0, 3);
    s.in.nx = SIZE_MAX / 4, expect(WW_ERR_NOMEM, &s, 0, 3);
    s.in.n_plane = SIZE_MAX, expect(WW_ERR_NOMEM, &s, 0, 3);
    s.out.nx = SIZE_MAX / 16, expect(WW_ERR_NOMEM, &s, 0, 3);
    expect(WW_OK, &s, 3, 3); /* an empty range */
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
    test_missing_neighbour();
    test_one_sided_steps();
    test_values_that_are_not_finite();
    test_weights();
    test_optional_arrays();
    test_point();
    test_centre_inside();
    test_size_one();
    test_row_ranges();
    test_huge_coordinates();
    test_zero_area();
    test_errors();
    return 0;
}
