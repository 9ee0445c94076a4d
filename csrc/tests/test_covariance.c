/* Covariances by covariance.h: against the definition, cell by cell, in any
 * division into ranges; what takes no part; the reach; every error. */
#undef NDEBUG
#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "covariance.h"

enum {
    NY = 4,
    NX = 5,
    N_CELL = NY * NX,
    N_PIXEL = 7,
    N_PLANE = 2,
    N_ENTRY = 16,
    REACH_Y = 2,
    REACH_X = 3,
    N_OFFSET = REACH_Y * (2 * REACH_X + 1) + REACH_X + 1
};

/* Pixels of 0, 1, 2, 3, 4, 5 and 1 cells; the widest spans dy = 2, dx = 3. */
static const int64_t FIRST[N_PIXEL + 1] = {0, 0, 1, 3, 6, 10, 15, 16};
static const int32_t CELL[N_ENTRY] = {0,  3,  4, 6, 7,  8,  6,  7,
                                      11, 12, 3, 5, 10, 12, 13, 19};

typedef struct {
    int64_t first[N_PIXEL + 1];
    int32_t cell[N_ENTRY];
    double g[N_ENTRY], weight[N_CELL];
    uint8_t keep[N_CELL];
    float variance[N_PLANE * N_PIXEL];
    double row_sum[N_PLANE * N_CELL], diagonal[N_PLANE * N_CELL];
    double covariance[N_OFFSET * N_CELL];
    ww_covariance_matrix matrix;
    ww_covariance_input in;
    ww_covariance_output out;
} scene;

static void
set_scene(scene *s)
{
    memset(s, 0, sizeof *s);
    memcpy(s->first, FIRST, sizeof FIRST);
    memcpy(s->cell, CELL, sizeof CELL);
    for (int e = 0; e < N_ENTRY; e++)
        s->g[e] = 0.25 * (1 + e % 5);
    for (int c = 0; c < N_CELL; c++) {
        s->weight[c] = 1.0 + 0.5 * (c % 3);
        s->keep[c] = 1;
    }
    for (int v = 0; v < N_PLANE * N_PIXEL; v++)
        s->variance[v] = 0.5f + (float)v;
    s->matrix = (ww_covariance_matrix){.ny = NY,
                                       .nx = NX,
                                       .n_pixel = N_PIXEL,
                                       .n_entry = N_ENTRY,
                                       .first = s->first,
                                       .cell = s->cell,
                                       .g = s->g};
    s->in = (ww_covariance_input){.scale = 1.5,
                                  .weight = s->weight,
                                  .keep = s->keep,
                                  .n_plane = N_PLANE,
                                  .variance = s->variance};
    s->out = (ww_covariance_output){.reach_y = REACH_Y,
                                    .reach_x = REACH_X,
                                    .row_sum = s->row_sum,
                                    .diagonal = s->diagonal,
                                    .covariance = s->covariance};
}

static void
run(scene *s)
{
    assert(ww_covariance_add(&s->matrix, &s->in, &s->out, 0, N_CELL) == WW_OK);
}

/* C_ab of one plane by its definition. Terms without m are left out. */
static double
expected(const scene *s, int plane, int a, int b)
{
    double sum = 0.0;

    for (int j = 0; j < N_PIXEL; j++) {
        double m[N_CELL] = {0};

        for (int64_t e = s->first[j]; e < s->first[j + 1]; e++) {
            int32_t c = s->cell[e];

            if (s->keep[c] && s->weight[c] != 0.0)
                m[c] = s->in.scale * s->g[e] / s->weight[c];
        }
        if (m[a] != 0.0 && m[b] != 0.0)
            sum += m[a] * m[b] * (double)s->variance[plane * N_PIXEL + j];
    }
    return sum;
}

static double
taper_at(const scene *s, int a, int b)
{
    int dy = abs(b / NX - a / NX), dx = abs(b % NX - a % NX);

    if (s->in.taper == NULL || dy > REACH_Y || dx > REACH_X)
        return 1.0;
    return s->in.taper[dy * (REACH_X + 1) + dx];
}

static int
is_same(double a, double b)
{
    return isnan(b) ? isnan(a) : fabs(a - b) <= 1e-13 * (1.0 + fabs(b));
}

/* All outputs; all that is not at an offset within reach must be 0. */
static void
check(const scene *s)
{
    for (int a = 0; a < N_CELL; a++) {
        for (int plane = 0; plane < N_PLANE; plane++) {
            double sum = 0.0;

            for (int b = 0; b < N_CELL; b++)
                sum += taper_at(s, a, b) * expected(s, plane, a, b);
            assert(is_same(s->row_sum[plane * N_CELL + a], sum));
            assert(is_same(s->diagonal[plane * N_CELL + a],
                           expected(s, plane, a, a)));
        }
        for (int b = 0; b < N_CELL; b++) {
            int dy = b / NX - a / NX, dx = b % NX - a % NX;
            double c = expected(s, 0, a, b) + expected(s, 1, a, b);

            if (b < a)
                continue;
            if (dy > REACH_Y || dx > REACH_X || dx < -REACH_X) {
                assert(c == 0.0);
                continue;
            }
            dy = dy * (2 * REACH_X + 1) + dx;
            assert(is_same(s->covariance[dy * N_CELL + a], c));
        }
    }
}

static void
test_definition(void)
{
    static scene s;

    set_scene(&s);
    run(&s);
    check(&s);
    assert(s.diagonal[0] > 0.0);
    run(&s); /* adds, does not clear */
    assert(is_same(s.diagonal[0], 2.0 * expected(&s, 0, 0, 0)));
    set_scene(&s);
    s.in.keep = NULL;
    run(&s);
    check(&s);
}

/* Row sums in which distant cells count less. */
static void
test_taper(void)
{
    static scene s, plain;
    double taper[(REACH_Y + 1) * (REACH_X + 1)];

    for (int k = 0; k < (REACH_Y + 1) * (REACH_X + 1); k++)
        taper[k] = 1.0 / (1.0 + k);
    set_scene(&plain);
    run(&plain);
    set_scene(&s);
    s.in.taper = taper;
    run(&s);
    check(&s);
    assert(s.row_sum[6] < plain.row_sum[6]);
    assert(s.diagonal[6] == plain.diagonal[6]);
}

/* One pixel, half of it in each of two cells of weight 1: all by hand. */
static void
test_by_hand(void)
{
    static const int64_t first[2] = {0, 2};
    static const int32_t cell[2] = {0, 1};
    static const double g[2] = {0.5, 0.25}, weight[2] = {1.0, 0.5};
    static const float variance[1] = {8.0f};
    double row_sum[2] = {0}, diagonal[2] = {0}, covariance[4] = {0};
    ww_covariance_matrix matrix = {1, 2, 1, 2, first, cell, g};
    ww_covariance_input in = {2.0, weight, NULL, 1, variance, NULL};
    ww_covariance_output out = {0, 1, row_sum, diagonal, covariance};

    assert(ww_covariance_add(&matrix, &in, &out, 0, 2) == WW_OK);
    assert(diagonal[0] == 8.0 && diagonal[1] == 8.0); /* m = 1 and 1 */
    assert(row_sum[0] == 16.0 && row_sum[1] == 16.0);
    assert(covariance[0] == 8.0 && covariance[1] == 8.0);
    assert(covariance[2] == 8.0 && covariance[3] == 0.0);
}

static void
test_size_one(void)
{
    static const int64_t first[2] = {0, 1};
    static const int32_t cell[1] = {0};
    static const double g[1] = {3.0}, weight[1] = {2.0};
    static const float variance[1] = {4.0f};
    double row_sum = 1.0, diagonal = 0.0, covariance = 0.0;
    ww_covariance_matrix matrix = {1, 1, 1, 1, first, cell, g};
    ww_covariance_input in = {1.0, weight, NULL, 1, variance, NULL};
    ww_covariance_output out = {0, 0, &row_sum, &diagonal, &covariance};
    size_t reach[2];

    assert(ww_covariance_reach(&matrix, &reach[0], &reach[1]) == WW_OK);
    assert(reach[0] == 0 && reach[1] == 0);
    assert(ww_covariance_add(&matrix, &in, &out, 0, 1) == WW_OK);
    assert(row_sum == 10.0 && diagonal == 9.0 && covariance == 9.0);
}

/* Cells without weight or not kept: no covariance, and no row sum of others
 * with them. */
static void
test_cells_left_out(void)
{
    static scene s;

    set_scene(&s);
    s.keep[7] = 0;
    s.weight[12] = 0.0;
    s.g[6] = 0.0;
    run(&s);
    check(&s);
    for (int k = 0; k < N_OFFSET; k++)
        assert(s.covariance[k * N_CELL + 7] == 0.0);
    assert(s.row_sum[7] == 0.0 && s.row_sum[12] == 0.0);
}

/* A NaN spoils the plane and the cells that it belongs to, no more. */
static void
test_nan(void)
{
    static scene s;

    set_scene(&s);
    s.variance[3] = NAN; /* plane 0, pixel 3: cells 6, 7, 8 */
    s.keep[8] = 0;
    run(&s);
    check(&s);
    assert(isnan(s.row_sum[6]) && isnan(s.diagonal[7]));
    assert(isnan(s.covariance[6]) && isnan(s.covariance[N_CELL + 6]));
    assert(s.row_sum[8] == 0.0 && isfinite(s.row_sum[11]));
    assert(isfinite(s.row_sum[N_CELL + 6]));
}

static void
test_ranges(void)
{
    static scene whole, split;

    set_scene(&whole);
    run(&whole);
    for (size_t band = 1; band <= N_CELL; band++) {
        set_scene(&split);
        for (size_t start = 0; start < N_CELL; start += band) {
            size_t stop = start + band < N_CELL ? start + band : N_CELL;

            for (size_t c = start; c < N_CELL; c++)
                assert(split.row_sum[c] == 0.0 && split.covariance[c] == 0.0);
            assert(ww_covariance_add(&split.matrix, &split.in, &split.out,
                                     start, stop) == WW_OK);
        }
        assert(!memcmp(whole.row_sum, split.row_sum, sizeof whole.row_sum));
        assert(!memcmp(whole.diagonal, split.diagonal, sizeof whole.diagonal));
        assert(!memcmp(whole.covariance, split.covariance,
                       sizeof whole.covariance));
    }
}

static void
test_reach(void)
{
    static scene s;
    size_t reach[2] = {9, 9};

    set_scene(&s);
    s.matrix.g = NULL;
    assert(ww_covariance_reach(&s.matrix, &reach[0], &reach[1]) == WW_OK);
    assert(reach[0] == REACH_Y && reach[1] == REACH_X);
    s.matrix.n_pixel = 3;
    s.matrix.n_entry = 3;
    assert(ww_covariance_reach(&s.matrix, &reach[0], &reach[1]) == WW_OK);
    assert(reach[0] == 0 && reach[1] == 1);
}

static void
expect(int status, scene *s, size_t start, size_t stop)
{
    assert(ww_covariance_add(&s->matrix, &s->in, &s->out, start, stop) ==
           status);
    for (int c = 0; c < N_CELL; c++)
        assert(s->row_sum[c] == 0.0 && s->covariance[c] == 0.0);
    set_scene(s);
}

/* What both functions refuse. */
static void
expect_both(int status, scene *s)
{
    size_t reach[2];

    assert(ww_covariance_reach(&s->matrix, &reach[0], &reach[1]) == status);
    expect(status, s, 0, 0);
}

static void
test_errors(void)
{
    static scene s;

    set_scene(&s);
    s.matrix.ny = 0, expect_both(WW_ERR_SHAPE, &s);
    s.matrix.nx = 0, expect_both(WW_ERR_SHAPE, &s);
    s.matrix.nx = INT32_MAX, expect_both(WW_ERR_SHAPE, &s);
    s.matrix.n_pixel = 0, expect_both(WW_ERR_SHAPE, &s);
    s.matrix.n_entry = 15, expect_both(WW_ERR_RANGE, &s);
    s.matrix.n_pixel = 6, expect_both(WW_ERR_RANGE, &s);
    s.first[0] = 1, expect_both(WW_ERR_RANGE, &s);
    s.first[2] = 4, expect_both(WW_ERR_RANGE, &s);
    s.first[2] = -4, expect_both(WW_ERR_RANGE, &s);
    s.first[7] = -1, expect_both(WW_ERR_RANGE, &s);
    s.cell[0] = -1, expect_both(WW_ERR_RANGE, &s);
    s.cell[15] = N_CELL, expect_both(WW_ERR_RANGE, &s);
    s.cell[1] = 4, expect_both(WW_ERR_RANGE, &s);
    s.in.n_plane = 0, expect(WW_ERR_SHAPE, &s, 0, N_CELL);
    expect(WW_ERR_RANGE, &s, 2, 1);
    expect(WW_ERR_RANGE, &s, 0, N_CELL + 1);
    s.out.reach_y = 1, expect(WW_ERR_ARGUMENT, &s, 0, N_CELL);
    s.out.reach_x = 2, expect(WW_ERR_ARGUMENT, &s, 0, N_CELL);
    expect(WW_OK, &s, 3, 3); /* an empty range */
}

int
main(void)
{
    test_definition();
    test_taper();
    test_by_hand();
    test_size_one();
    test_cells_left_out();
    test_nan();
    test_ranges();
    test_reach();
    test_errors();
    return 0;
}
