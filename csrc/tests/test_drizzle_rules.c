/* The rules of drizzle.h: holes and values that are not finite, weights,
 * data quality, context, sizes 0 and 1, every error. */
#undef NDEBUG
#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "drizzle.h"
#include "drizzle_case.h"

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
    s.out.nx = SIZE_MAX / 16, expect(WW_ERR_NOMEM, &s, 0, 3);
    expect(WW_OK, &s, 3, 3); /* an empty range */
}

int
main(void)
{
    test_missing_neighbour();
    test_one_sided_steps();
    test_values_that_are_not_finite();
    test_weights();
    test_optional_arrays();
    test_size_one();
    test_errors();
    return 0;
}
