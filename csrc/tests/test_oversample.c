#undef NDEBUG
#include <assert.h>
#include <math.h>
#include <string.h>

#include "oversample.h"
#include "trace_case.h"

enum { FINE = 2 * CASE_NY, N_FINE = FINE * CASE_NX };

/* The case, oversampled by 2; the flux is its trace and 1 more. */
typedef struct {
    trace_case base;
    double position[FINE], fine_alpha[N_FINE], flux[CASE_NY * CASE_NX];
    int32_t nearest[FINE];
    double plane[5][N_FINE];
    ww_oversample_input in;
    ww_oversample_output out;
} scene;

static void
set_scene(scene *s)
{
    ww_output_image image[5];

    set_case(&s->base);
    for (int i = 0; i < FINE; i++) {
        s->position[i] = i / 2.0 - 0.25;
        s->nearest[i] = i / 2;
        for (int x = 0; x < CASE_NX; x++)
            s->fine_alpha[i * CASE_NX + x] = s->position[i];
    }
    for (int i = 0; i < CASE_NY * CASE_NX; i++)
        s->flux[i] = 1.0 + 2.0 * s->base.alpha[i] * s->base.alpha[i];
    for (int p = 0; p < 5; p++) {
        for (int i = 0; i < N_FINE; i++)
            s->plane[p][i] = NAN;
        image[p] = (ww_output_image){s->plane[p], 0};
    }
    s->in = (ww_oversample_input){
        .trace = s->base.trace,
        .grid = {CASE_NY, FINE, 2.0, WW_GRID_NEAREST, s->position, s->nearest},
        .flux = {s->flux, 0},
        .fine_alpha = {s->fine_alpha, 0},
        .compact = {0, NULL, 1},
        .require_good = 3,
        .edge = 2};
    s->out = (ww_oversample_output){image[0], image[1], image[2], image[3],
                                    image[4]};
}

static void
run(scene *s)
{
    assert(ww_oversample_flux(&s->in, &s->out, 0, CASE_NX) == WW_OK);
}

static int
is_near(double a, double b)
{
    return fabs(a - b) <= 1e-12 * (1.0 + fabs(b));
}

static void
test_flux(void)
{
    static scene s;

    set_scene(&s);
    run(&s);
    for (int i = 1; i < FINE; i++) {
        double trace = 2.0 * s.position[i] * s.position[i];
        int is_end = i < 2 || i >= FINE - 2, at = i * CASE_NX;

        assert(is_near(s.plane[2][at], trace));
        assert(s.plane[1][at] == s.plane[2][at]);
        assert(is_end ? isnan(s.plane[4][at]) : is_near(s.plane[4][at], 1.0));
        assert(is_end == isnan(s.plane[3][at]));
        assert(is_near(s.plane[0][at], is_end ? trace : trace + 1.0));
    }
    assert(isnan(s.plane[2][0])); /* below the bounds */
    set_scene(&s);
    s.in.without_residual = s.in.trim_ends = 1;
    s.in.compact.everywhere = 0;
    run(&s);
    for (int i = 0; i < N_FINE; i++)
        assert(s.plane[0][i] == s.plane[3][i] || isnan(s.plane[3][i]));
    /* Two samples within the bounds, which begin at sample 1. */
    assert(isnan(s.plane[2][2 * CASE_NX]) && !isnan(s.plane[2][3 * CASE_NX]));
    set_scene(&s);
    s.in.trim_ends = s.in.trims_column = 1;
    run(&s);
    assert(isnan(s.plane[2][1 * CASE_NX]) && !isnan(s.plane[2][2 * CASE_NX]));
}

static void
test_bad_pixels(void)
{
    static scene s;

    set_scene(&s);
    s.flux[4 * CASE_NX] = NAN;
    for (int y = 0; y < 5; y++)
        s.flux[y * CASE_NX + 1] = INFINITY;
    run(&s);
    assert(isnan(s.plane[3][8 * CASE_NX]) && isnan(s.plane[3][9 * CASE_NX]));
    assert(is_near(s.plane[4][8 * CASE_NX], 1.0)); /* bridged */
    for (int i = 0; i < FINE; i++)
        for (int p = 0; p < 5; p++) /* three pixels are not more than three */
            assert(isnan(s.plane[p][i * CASE_NX + 1]));
}

static void
test_linear(void)
{
    static scene s;
    ww_linear_input in;
    uint8_t keep[N_FINE] = {0};
    ww_output_image out;

    set_scene(&s);
    in = (ww_linear_input){.region = s.base.trace.region,
                           .grid = s.in.grid,
                           .image = {s.flux, 0},
                           .require_good = 0,
                           .preserve_nan = 1,
                           .keep = keep,
                           .is_variance = 1,
                           .multiply = 3.0};
    for (int i = 0; i < CASE_NY * CASE_NX; i++)
        s.flux[i] = (double)(i / CASE_NX) * (i / CASE_NX);
    s.flux[2 * CASE_NX] = NAN;
    keep[5 * CASE_NX] = 1;
    out = s.out.flux;
    assert(ww_oversample_linear(&in, &out, 0, CASE_NX) == WW_OK);
    assert(s.plane[0][0] == 0.0 && s.plane[0][15 * CASE_NX] == 3.0 * 49.0);
    assert(is_near(s.plane[0][7 * CASE_NX], 3.0 * 3.25 * 3.25));
    assert(isnan(s.plane[0][4 * CASE_NX])); /* nearest to the bad one */
    assert(is_near(s.plane[0][5 * CASE_NX], 3.0 * 2.25 * 2.25));
}

static void
test_rows_of_a_region(void)
{
    double position[9];
    int32_t nearest[9];
    ww_fine_grid grid = {6, 9, 1.5, WW_GRID_NEAREST, position, nearest};
    size_t first, stop, from, to;

    for (int i = 0; i < 9; i++) {
        position[i] = i / 1.5 - 1.0 / 6.0;
        nearest[i] = (int32_t)rint(position[i]);
    }
    ww_fine_rows(&grid, 0, 3, &first, &stop);
    ww_fine_rows(&grid, 3, 6, &from, &to);
    assert(first == 0 && stop == from && to == 9); /* none shared, none lost */
    grid.rule = WW_GRID_JWST;
    ww_fine_rows(&grid, 1, 4, &first, &stop);
    assert(first == 1 && stop == 6); /* trunc(1.5), ceil(3 * 1.5) of them */
    assert(ww_fine_is_valid(&grid));
    nearest[8] = 6;
    assert(!ww_fine_is_valid(&grid));
}

static void
test_split_and_errors(void)
{
    static scene whole, split;
    int64_t count[2] = {0}, parts[2] = {0};
    double edges[2] = {0.0, 8.0};
    ww_steep_pixels steep = {
        .limit = 4.0, .skip_first = 1, .n_bin = 1, .edges = edges};

    set_scene(&whole);
    set_scene(&split);
    run(&whole);
    for (size_t c = CASE_NX; c-- > 0;)
        assert(ww_oversample_flux(&split.in, &split.out, c, c + 1) == WW_OK);
    assert(!memcmp(whole.plane, split.plane, sizeof whole.plane));
    steep.count = count;
    assert(ww_oversample_count_steep(&whole.in, &steep, 0, 2) == WW_OK);
    steep.count = parts;
    assert(ww_oversample_count_steep(&whole.in, &steep, 0, 1) == WW_OK);
    assert(ww_oversample_count_steep(&whole.in, &steep, 1, 2) == WW_OK);
    assert(count[0] == 10 && !memcmp(count, parts, sizeof count));
    assert(ww_oversample_flux(&split.in, &split.out, 0, 3) == WW_ERR_RANGE);
    split.in.grid.ny++;
    assert(ww_oversample_flux(&split.in, &split.out, 0, 2) == WW_ERR_SHAPE);
    set_scene(&split);
    split.base.first[0] = split.base.stop[0] = 0; /* not in this column */
    memset(&split.out, 0, sizeof split.out);
    run(&split); /* nothing wanted */
}

int
main(void)
{
    test_flux();
    test_bad_pixels();
    test_linear();
    test_rows_of_a_region();
    test_split_and_errors();
    return 0;
}
