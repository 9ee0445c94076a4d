/* Histograms by offset_histogram.h: single pairs on and beside edges, against
 * all pairs one by one, in any division into ranges; every error. */
#undef NDEBUG
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "offset_histogram.h"

enum { SIZE = 7, CELLS = SIZE * SIZE, N_REF = 60, N_IMG = 80 };

/* One pair at an offset of (dx, dy) cells; the cell that counts it, or -1. */
static int
cell_of_pair(double dx, double dy, double reach)
{
    double zero = 0, x = 0.5 * dx, y = 0.5 * dy;
    uint32_t count[CELLS] = {0};
    int cell = -1, total = 0;
    ww_offset_pairs p = {.n_ref = 1,
                         .ref_x = &zero,
                         .ref_y = &zero,
                         .n_img = 1,
                         .img_x = &x,
                         .img_y = &y,
                         .bin = 0.5,
                         .reach = reach,
                         .size = SIZE};

    assert(ww_offset_histogram(&p, 0, 1, count) == WW_OK);
    for (int c = 0; c < CELLS; c++) {
        total += (int)count[c];
        cell = count[c] ? c : cell;
    }
    assert(total == (cell >= 0));
    return cell;
}

static void
test_single_pairs(void)
{
    int middle = CELLS / 2;

    assert(cell_of_pair(0, 0, 3.5) == middle);
    assert(cell_of_pair(1, 0, 3.5) == middle + 1);
    assert(cell_of_pair(0, 1, 3.5) == middle + SIZE);
    assert(cell_of_pair(0.5, -0.5, 3.5) == middle + 1);
    assert(cell_of_pair(nextafter(0.5, 0), 0, 3.5) == middle);
    assert(cell_of_pair(0, nextafter(-0.5, -1), 3.5) == middle - SIZE);
    assert(cell_of_pair(-3.5, -3.5, 3.5) == 0);
    assert(cell_of_pair(nextafter(3.5, 0), nextafter(3.5, 0), 3.5) ==
           CELLS - 1);
    assert(cell_of_pair(3.5, 0, 3.5) == -1);
    assert(cell_of_pair(0, -3.6, 3.5) == -1);
    assert(cell_of_pair(-2.25, 0, 2.25) == middle - 2);
    assert(cell_of_pair(2.25, 0, 2.25) == -1);
    assert(cell_of_pair(NAN, 0, 3.5) == -1);
    assert(cell_of_pair(0, INFINITY, 3.5) == -1);
}

static double
uniform(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state / 4294967296.0;
}

typedef struct {
    double ref_x[N_REF], ref_y[N_REF], img_x[N_IMG], img_y[N_IMG];
    ww_offset_pairs pairs;
} scene;

static void
set_scene(scene *s, double extent)
{
    uint32_t state = 7;

    for (int i = 0; i < N_REF; i++) {
        s->ref_x[i] = extent * uniform(&state);
        s->ref_y[i] = extent * uniform(&state);
    }
    for (int i = 0; i < N_IMG; i++) {
        s->img_x[i] = extent * uniform(&state) - 1;
        s->img_y[i] = extent * uniform(&state) + 2;
    }
    s->img_x[3] = s->ref_y[5] = NAN;
    s->pairs = (ww_offset_pairs){.n_ref = N_REF,
                                 .ref_x = s->ref_x,
                                 .ref_y = s->ref_y,
                                 .n_img = N_IMG,
                                 .img_x = s->img_x,
                                 .img_y = s->img_y,
                                 .bin = 0.3,
                                 .reach = 3.2,
                                 .size = SIZE};
}

static void
count_one_by_one(const ww_offset_pairs *p, uint32_t *count)
{
    memset(count, 0, CELLS * sizeof *count);
    for (size_t r = 0; r < p->n_ref; r++)
        for (size_t i = 0; i < p->n_img; i++) {
            double dx = (p->img_x[i] - p->ref_x[r]) / p->bin;
            double dy = (p->img_y[i] - p->ref_y[r]) / p->bin;

            if (dx >= -p->reach && dx < p->reach && dy >= -p->reach &&
                dy < p->reach)
                count[(int)(dy + 3.5) * SIZE + (int)(dx + 3.5)]++;
        }
}

/* From a clump, where all pairs count, to a field where hardly one does. */
static void
test_all_pairs(void)
{
    static const double extents[5] = {0.01, 2, 20, 500, 1e14};

    for (int e = 0; e < 5; e++) {
        scene s;
        uint32_t expected[CELLS], count[CELLS] = {0}, parts[CELLS] = {0};

        set_scene(&s, extents[e]);
        count_one_by_one(&s.pairs, expected);
        assert(ww_offset_histogram(&s.pairs, 0, N_REF, count) == WW_OK);
        assert(memcmp(count, expected, sizeof count) == 0);
        assert(ww_offset_histogram(&s.pairs, 0, 7, parts) == WW_OK);
        assert(ww_offset_histogram(&s.pairs, 7, 7, parts) == WW_OK);
        assert(ww_offset_histogram(&s.pairs, 7, N_REF, parts) == WW_OK);
        assert(memcmp(parts, expected, sizeof parts) == 0);
    }
}

static void
test_nothing_to_count(void)
{
    scene s;
    uint32_t count[CELLS] = {0};
    double nan = NAN;

    set_scene(&s, 2);
    s.pairs.n_img = 0;
    assert(ww_offset_histogram(&s.pairs, 0, N_REF, count) == WW_OK);
    s.pairs.n_img = 1;
    s.pairs.img_x = &nan;
    assert(ww_offset_histogram(&s.pairs, 0, N_REF, count) == WW_OK);
    s.pairs.n_ref = 0;
    assert(ww_offset_histogram(&s.pairs, 0, 0, count) == WW_OK);
    for (int c = 0; c < CELLS; c++)
        assert(count[c] == 0);
}

static int
status_with(size_t size, double bin, double reach, size_t start, size_t stop)
{
    scene s;
    uint32_t count[CELLS] = {0};

    set_scene(&s, 2);
    s.pairs.size = size;
    s.pairs.bin = bin;
    s.pairs.reach = reach;
    return ww_offset_histogram(&s.pairs, start, stop, count);
}

static void
test_errors(void)
{
    scene s;
    uint32_t count[CELLS] = {0};

    assert(status_with(SIZE, 1, 3.5, 0, N_REF) == WW_OK);
    assert(status_with(6, 1, 3, 0, N_REF) == WW_ERR_SHAPE);
    assert(status_with(0, 1, 3, 0, N_REF) == WW_ERR_SHAPE);
    assert(status_with(SIZE, 0, 3, 0, N_REF) == WW_ERR_ARGUMENT);
    assert(status_with(SIZE, NAN, 3, 0, N_REF) == WW_ERR_ARGUMENT);
    assert(status_with(SIZE, INFINITY, 3, 0, N_REF) == WW_ERR_ARGUMENT);
    assert(status_with((size_t)INT32_MAX + 2, 1, 3, 0, N_REF) == WW_ERR_SHAPE);
    assert(status_with(SIZE, 1, 0, 0, N_REF) == WW_ERR_ARGUMENT);
    assert(status_with(SIZE, 1, 3.6, 0, N_REF) == WW_ERR_ARGUMENT);
    assert(status_with(SIZE, 1, NAN, 0, N_REF) == WW_ERR_ARGUMENT);
    assert(status_with(SIZE, 1, 3, 2, 1) == WW_ERR_RANGE);
    assert(status_with(SIZE, 1, 3, 0, N_REF + 1) == WW_ERR_RANGE);
    set_scene(&s, 2);
    s.pairs.n_img = (size_t)UINT32_MAX / N_REF + 1; /* refused unread */
    assert(ww_offset_histogram(&s.pairs, 0, N_REF, count) == WW_ERR_RANGE);
}

int
main(void)
{
    test_single_pairs();
    test_all_pairs();
    test_nothing_to_count();
    test_errors();
    return 0;
}
