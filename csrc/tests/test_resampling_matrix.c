/* The matrix of resampling_matrix.h: it is what drizzle.h sums up, in any
 * division of the input rows and with any room; every error. */
#undef NDEBUG
#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "drizzle_case.h"
#include "resampling_matrix.h"

enum { N_ENTRY = 64 * N_CELL };

/* The matrix of a scene, with room for all of it. */
typedef struct {
    int32_t count[N_CELL], cell[N_ENTRY];
    double g[N_ENTRY];
    ww_overlap_input in;
    ww_matrix out;
} table;

static void
set_table(table *t, const scene *s)
{
    memset(t, 0xff, sizeof *t);
    t->in = (ww_overlap_input){.ny = s->in.ny,
                               .nx = s->in.nx,
                               .map_x = s->map_x,
                               .map_y = s->map_y,
                               .weight = s->weight,
                               .pixfrac = s->in.pixfrac,
                               .kernel = s->in.kernel,
                               .edge = s->in.edge};
    t->out = (ww_matrix){.ny = s->out.ny,
                         .nx = s->out.nx,
                         .count = t->count,
                         .capacity = N_ENTRY,
                         .cell = t->cell,
                         .g = t->g};
}

static void
fill(table *t)
{
    assert(ww_drizzle_matrix(&t->in, &t->out, 0, t->in.ny) == WW_OK);
    assert(t->out.n_entry <= N_ENTRY);
}

/* Sums over the matrix are those of the drizzle kernel; cells ascend. */
static void
check_against_drizzle(scene *s)
{
    static table t;
    double weight[N_CELL] = {0}, sum[N_CELL] = {0};
    size_t e = 0;

    set_table(&t, s);
    fill(&t);
    for (size_t p = 0; p < s->in.ny * s->in.nx; p++)
        for (int32_t k = 0; k < t.count[p]; k++, e++) {
            assert(t.cell[e] >= 0 &&
                   (size_t)t.cell[e] < s->out.ny * s->out.nx);
            assert(k == 0 || t.cell[e] > t.cell[e - 1]);
            weight[t.cell[e]] += t.g[e];
            sum[t.cell[e]] += t.g[e] * (double)s->value[p];
        }
    assert(e == t.out.n_entry);
    run(s);
    for (size_t c = 0; c < s->out.ny * s->out.nx; c++) {
        assert(is_close(weight[c], s->out_weight[c]));
        assert(is_close(sum[c], s->out_sum[c]));
    }
}

static void
test_sums(void)
{
    static const double maps[4][6] = {{0.8, -0.5, 3.1, 0.6, 0.9, 0.2},
                                      {3.0, -1.5, 4.1, 2.5, 3.5, 1.3},
                                      {-1.0, 0.0, 8.0, 0.0, 1.0, 1.0},
                                      {0.3, 0.1, 2.0, 0.0, 0.4, 1.0}};
    static scene s;

    for (size_t m = 0; m < 4; m++)
        for (int kernel = 0; kernel < 2; kernel++)
            for (int edge = 0; edge < 2; edge++) {
                set_scene(&s, m == 1 ? 4 : 9, SIDE, maps[m]);
                s.in.kernel = kernel;
                s.in.edge = edge;
                s.in.pixfrac = 0.9;
                s.map_x[6] = (double)NAN;
                s.weight[1] = 0.0f;
                s.weight[2] = NAN;
                s.weight[3] = -2.0f;
                s.weight[4] = 0.25f;
                check_against_drizzle(&s);
            }
}

/* A pixel shifted by a quarter: shares 3/4 and 1/4 times the weight 2. */
static void
test_exact(void)
{
    static scene s;
    static table t;

    shift_scene(&s, 3, 5, 0.25, 1.0);
    s.weight[4] = 2.0f;
    s.value[4] = NAN; /* values do not matter */
    set_table(&t, &s);
    fill(&t);
    assert(t.out.n_entry == 18);
    for (size_t p = 0; p < 9; p++) {
        size_t cell = 5 * (p / 3 + 1) + p % 3;

        assert(t.count[p] == 2);
        assert((size_t)t.cell[2 * p] == cell);
        assert((size_t)t.cell[2 * p + 1] == cell + 1);
        assert(t.g[2 * p] == (p == 4 ? 1.5 : 0.75));
        assert(t.g[2 * p + 1] == (p == 4 ? 0.5 : 0.25));
    }
}

/* Any division of the input rows gives the same numbers. */
static void
test_row_ranges(void)
{
    double fine[6] = {0.8, -0.5, 3.1, 0.6, 0.9, 0.2};
    static scene s;
    static table whole, part;

    for (size_t band = 1; band <= 9; band++) {
        size_t e = 0;

        set_scene(&s, 9, SIDE, fine);
        set_table(&whole, &s);
        fill(&whole);
        assert(whole.out.n_entry > 81);
        for (size_t start = 0; start < 9; start += band) {
            size_t stop = start + band < 9 ? start + band : 9;
            size_t n;

            set_table(&part, &s);
            assert(ww_drizzle_matrix(&part.in, &part.out, start, stop) ==
                   WW_OK);
            n = part.out.n_entry;
            assert(!memcmp(part.count, whole.count + 9 * start,
                           9 * (stop - start) * sizeof *part.count));
            assert(part.count[9 * (stop - start)] == -1); /* untouched */
            assert(!memcmp(part.cell, whole.cell + e, n * sizeof *part.cell));
            assert(!memcmp(part.g, whole.g + e, n * sizeof *part.g));
            e += n;
        }
        assert(e == whole.out.n_entry);
    }
}

/* Too little room: the first entries, and the number that there are. */
static void
test_capacity(void)
{
    double fine[6] = {0.8, -0.5, 3.1, 0.6, 0.9, 0.2};
    static scene s;
    static table whole, part;

    set_scene(&s, 9, SIDE, fine);
    set_table(&whole, &s);
    fill(&whole);
    for (size_t capacity = 0; capacity < whole.out.n_entry; capacity += 50) {
        set_table(&part, &s);
        part.out.capacity = capacity;
        if (capacity == 0)
            part.out.cell = NULL, part.out.g = NULL;
        fill(&part);
        assert(part.out.n_entry == whole.out.n_entry);
        assert(!memcmp(part.count, whole.count, sizeof part.count));
        assert(!memcmp(part.g, whole.g, capacity * sizeof *part.g));
        assert(part.cell[capacity] == -1);
    }
}

/* Pixels that cover the whole grid each, longer in all than one list. */
static void
test_large_pixels(void)
{
    enum { WIDE = 3000 };
    static const double x[4] = {0.0, 1e4, 0.0, 1e4};
    static const double y[4] = {0.0, 0.0, 1e4, 1e4};
    static const float weight[4] = {1.0f, 1.0f, 1.0f, 1.0f};
    static int32_t count[4], cell[2 * WIDE];
    static double g[2 * WIDE];
    ww_overlap_input in = {.ny = 2,
                           .nx = 2,
                           .map_x = x,
                           .map_y = y,
                           .weight = weight,
                           .pixfrac = 1.0};
    ww_matrix out = {.ny = 2,
                     .nx = WIDE,
                     .count = count,
                     .capacity = 2 * WIDE,
                     .cell = cell,
                     .g = g};

    assert(ww_drizzle_matrix(&in, &out, 0, 2) == WW_OK);
    assert(out.n_entry == 2 * WIDE && count[0] == 2 * WIDE);
    assert(count[1] == 0 && count[2] == 0 && count[3] == 0);
    for (int32_t k = 0; k < 2 * WIDE; k++) {
        assert(cell[k] == k);
        assert(fabs(g[k] - 1e-8) < 1e-15);
    }
}

static void
test_size_one(void)
{
    static scene s;
    static table t;

    shift_scene(&s, 1, 1, 0.0, 0.0);
    set_table(&t, &s);
    fill(&t);
    assert(t.out.n_entry == 0 && t.count[0] == 0); /* no derivative */
    t.in.kernel = WW_KERNEL_POINT;
    fill(&t);
    assert(t.out.n_entry == 1 && t.count[0] == 1);
    assert(t.cell[0] == 0 && t.g[0] == 1.0);
}

static void
expect(int status, table *t, size_t start, size_t stop)
{
    static scene s;

    assert(ww_drizzle_matrix(&t->in, &t->out, start, stop) == status);
    assert(t->out.n_entry == 0);
    shift_scene(&s, 3, 3, 0.0, 0.0);
    set_table(t, &s);
}

static void
test_errors(void)
{
    static scene s;
    static table t;

    shift_scene(&s, 3, 3, 0.0, 0.0);
    set_table(&t, &s);
    t.in.ny = 0, expect(WW_ERR_SHAPE, &t, 0, 0);
    t.in.nx = 0, expect(WW_ERR_SHAPE, &t, 0, 3);
    t.out.ny = 0, expect(WW_ERR_SHAPE, &t, 0, 3);
    t.out.nx = 0, expect(WW_ERR_SHAPE, &t, 0, 3);
    t.out.nx = INT32_MAX, expect(WW_ERR_SHAPE, &t, 0, 3);
    expect(WW_ERR_RANGE, &t, 2, 1);
    expect(WW_ERR_RANGE, &t, 0, 4);
    t.in.kernel = 2, expect(WW_ERR_ARGUMENT, &t, 0, 3);
    t.in.edge = -1, expect(WW_ERR_ARGUMENT, &t, 0, 3);
    t.in.pixfrac = 0.0, expect(WW_ERR_ARGUMENT, &t, 0, 3);
    t.in.pixfrac = 1.1, expect(WW_ERR_ARGUMENT, &t, 0, 3);
    t.in.pixfrac = (double)NAN, expect(WW_ERR_ARGUMENT, &t, 0, 3);
    expect(WW_OK, &t, 3, 3); /* an empty range */
    t.in.kernel = 2, expect(WW_ERR_ARGUMENT, &t, 3, 3);
}

/* A length that no memory holds; nothing of the arrays is read. */
static void
test_no_memory(void)
{
    ww_overlap_input in = {.ny = 1, .nx = SIZE_MAX / 8, .pixfrac = 1.0};
    ww_overlap_range range = {.ny = 1, .nx = 1, .in_stop = 1, .out_stop = 1};

    assert(ww_overlap_visit(&in, &range, NULL, NULL) == WW_ERR_NOMEM);
    in.nx = 1;
    range.nx = SIZE_MAX / 8;
    assert(ww_overlap_visit(&in, &range, NULL, NULL) == WW_ERR_NOMEM);
}

int
main(void)
{
    test_sums();
    test_exact();
    test_row_ranges();
    test_capacity();
    test_large_pixels();
    test_size_one();
    test_errors();
    test_no_memory();
    return 0;
}
