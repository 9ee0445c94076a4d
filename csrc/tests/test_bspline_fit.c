/* Splines through samples by bspline_fit.h: polynomials, outliers, gaps,
 * near-singular cases, sizes 0 and 1, and every error. */
#undef NDEBUG
#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bspline_fit.h"
#include "spline_value.h"

enum { N = 400, ROOM = 60 };

typedef struct {
    size_t n;
    double x[N], y[N], knots[ROOM], c[ROOM];
    int64_t log[2 * 5];
    ww_bspline_options options;
    ww_bspline_result result;
} fit;

static double
cubic(double x)
{
    return 3.0 + 2.0 * x - x * x + 0.125 * x * x * x;
}

static void
set_cubic(fit *f, int compat)
{
    memset(f, 0, sizeof *f);
    f->n = N;
    for (size_t i = 0; i < N; i++) {
        f->x[i] = 0.01 * (double)i;
        f->y[i] = cubic(f->x[i]);
    }
    f->options = (ww_bspline_options){.n_interval = 20,
                                      .n_iteration = 3,
                                      .sigma_low = 3.0,
                                      .sigma_high = 3.0,
                                      .space_ratio = 1.2,
                                      .compat = compat};
}

static int
run(fit *f)
{
    return ww_bspline_fit(f->x, f->y, f->n, &f->options, f->knots, f->c,
                          &f->result, f->log);
}

static void
assert_cubic(const fit *f, double tolerance)
{
    for (double x = 0.0; x <= 3.99; x += 0.03)
        assert(fabs(ww_spline_value(f->knots, f->result.n_knot, f->c, x) -
                    cubic(x)) < tolerance);
}

static void
a_cubic_is_reproduced(int compat)
{
    fit f;

    set_cubic(&f, compat);
    assert(run(&f) == WW_OK && f.result.outcome == WW_BSPLINE_FITTED);
    assert(!f.result.is_refined);
    assert(f.result.n_knot == 27 || (compat && f.result.n_knot == 28));
    assert_cubic(&f, 1e-12);
    /* What the spline leaves of its line is 0. */
    for (size_t i = f.result.n_knot; i < ww_bspline_room(20); i++)
        assert(f.knots[i] == 0.0 && f.c[i - 4] == 0.0);
}

static void
knots_are_equally_spaced(void)
{
    fit f;

    set_cubic(&f, 0);
    f.options.n_iteration = 1;
    assert(run(&f) == WW_OK);
    for (size_t i = 0; i < 4; i++)
        assert(f.knots[i] == 0.0 && f.knots[23 + i] == f.x[N - 1]);
    assert(fabs(f.knots[4] - 3.99 / 40) < 1e-14);
    for (size_t i = 4; i < 22; i++)
        assert(fabs(f.knots[i + 1] - f.knots[i] - 3.99 / 20) < 1e-14);
}

static void
outliers_are_rejected(int compat)
{
    fit f;

    set_cubic(&f, compat);
    for (size_t i = 0; i < N; i++)
        f.y[i] += i % 2 ? 1e-6 : -1e-6;
    f.y[100] += 50.0;
    f.y[300] -= 5.0;
    assert(run(&f) == WW_OK && f.result.outcome == WW_BSPLINE_FITTED);
    assert(f.log[0] >= 1 && f.log[0] + f.log[1] == N);
    assert(f.log[3] == f.log[1] - f.log[2]);
    assert(f.result.n_used <= N - 2 && !f.result.has_stopped);
    assert_cubic(&f, 1e-5);
}

static void
too_many_outliers_stop(void)
{
    fit f;

    set_cubic(&f, 0);
    f.options.sigma_low = f.options.sigma_high = 0.1;
    for (size_t i = 0; i < N; i++)
        f.y[i] += i % 2 ? 1.0 : -1.0;
    assert(run(&f) == WW_OK && f.result.outcome == WW_BSPLINE_FITTED);
    assert(f.result.has_stopped && f.result.n_iteration == 1);
    assert(f.result.n_used == N);
}

static void
a_sample_after_a_wide_gap_is_left_out(void)
{
    fit f;

    set_cubic(&f, 0);
    f.options.n_iteration = 1;
    f.x[N - 1] = 4.5;
    f.y[N - 1] = 1e3;
    assert(run(&f) == WW_OK && f.result.outcome == WW_BSPLINE_FITTED);
    assert(f.result.n_used == N - 1);
    assert_cubic(&f, 1e-12);
}

/* jwst takes the distance of the first sample from 0 for a gap. */
static void
the_first_gap(void)
{
    fit f;

    for (int compat = 0; compat < 2; compat++) {
        set_cubic(&f, compat);
        f.options.n_iteration = 1;
        for (size_t i = 0; i < N; i++)
            f.x[i] += 10.0;
        assert(run(&f) == WW_OK && f.result.outcome == WW_BSPLINE_FITTED);
        assert(f.knots[0] == (compat ? f.x[1] : f.x[0]));
    }
}

static void
too_sparse(void)
{
    fit f;

    set_cubic(&f, 0);
    f.n = 20;
    f.options.n_interval = 10;
    assert(run(&f) == WW_OK && f.result.outcome == WW_BSPLINE_FITTED);
    f.options.n_interval = 40;
    assert(run(&f) == WW_OK && f.result.outcome == WW_BSPLINE_SPARSE);
    assert(f.result.n_knot == 0);
}

/* Ten pairs of neighbours and nothing in between: nothing determines some of
 * the coefficients. */
static void
singular(int compat)
{
    fit f;

    set_cubic(&f, compat);
    f.n = 20;
    f.options.n_interval = 30;
    f.options.space_ratio = 100.0;
    for (size_t i = 0; i < f.n; i++)
        f.x[i] = 0.1 * (double)(i / 2);
    assert(run(&f) == WW_OK && f.result.outcome == WW_BSPLINE_SINGULAR);
    assert(f.result.n_knot == 0);
}

/* Two empty intervals at the start: with two knots less it is regular. */
static void
fewer_knots(void)
{
    fit f;
    size_t n = 0;

    set_cubic(&f, 0);
    f.options.space_ratio = 100.0;
    f.options.n_interval = 10;
    f.options.n_iteration = 1;
    f.x[n++] = 0.0;
    for (size_t i = 1; i < N; i++)
        if (f.x[i] > 0.82 && n < N)
            f.x[n++] = f.x[i];
    f.n = n;
    for (size_t i = 0; i < n; i++)
        f.y[i] = cubic(f.x[i]);
    /* The wide gap alone would take the sample after it. */
    assert(run(&f) == WW_OK && f.result.outcome == WW_BSPLINE_FITTED);
    assert(f.result.is_refined && f.result.n_knot == 15);
    assert_cubic(&f, 1e-6);
}

/* The two ways of solving. */
static void
rotations_agree(void)
{
    fit f;
    ww_bspline_work work;
    ww_arena arena = {NULL, 0};
    unsigned char *memory;
    ww_spline_samples samples;
    double by_rows[ROOM];
    size_t n;

    set_cubic(&f, 1);
    ww_bspline_init(&work, N, 20, 0, &arena);
    memory = malloc(arena.used);
    assert(memory);
    arena = (ww_arena){memory, 0};
    ww_bspline_init(&work, N, 20, 0, &arena);
    samples = (ww_spline_samples){.n = N, .x = f.x, .y = f.y};
    f.options.n_iteration = 1;
    for (size_t i = 0; i < N; i++)
        f.y[i] = sin(20.0 * f.x[i]);
    ww_bspline_fit_samples(&work, &samples, &f.options, f.knots, f.c,
                           &f.result, NULL);
    n = f.result.n_knot - 4;
    assert(ww_system_rotate(&work.system, &work.samples) == n);
    memcpy(by_rows, work.system.right, n * sizeof *by_rows);
    assert(ww_system_solve(&work.system, &work.samples, 0.0, 0.0) == n);
    for (size_t i = 0; i < n; i++)
        assert(fabs(by_rows[i] - work.system.right[i]) < 1e-12);
    free(memory);
}

static void
sizes_and_errors(void)
{
    fit f;

    set_cubic(&f, 0);
    for (f.n = 0; f.n <= 10; f.n++)
        assert(run(&f) == WW_OK && f.result.outcome == WW_BSPLINE_FEW);
    f.n = N;
    f.options.n_iteration = 0;
    assert(run(&f) == WW_OK && f.result.outcome == WW_BSPLINE_NONE);
    set_cubic(&f, 0);
    f.options.n_interval = 0;
    assert(run(&f) == WW_ERR_ARGUMENT);
    set_cubic(&f, 0);
    f.options.sigma_low = NAN;
    assert(run(&f) == WW_ERR_ARGUMENT);
    set_cubic(&f, 0);
    f.x[7] = NAN;
    assert(run(&f) == WW_ERR_ARGUMENT);
    set_cubic(&f, 0);
    f.y[7] = INFINITY;
    assert(run(&f) == WW_ERR_ARGUMENT);
    set_cubic(&f, 0);
    f.x[7] = 0.0;
    assert(run(&f) == WW_ERR_ARGUMENT);
    /* All in one place. */
    set_cubic(&f, 0);
    for (size_t i = 0; i < N; i++)
        f.x[i] = 1.0;
    assert(run(&f) == WW_OK && f.result.outcome == WW_BSPLINE_SINGULAR);
}

int
main(void)
{
    for (int compat = 0; compat < 2; compat++) {
        a_cubic_is_reproduced(compat);
        outliers_are_rejected(compat);
        singular(compat);
    }
    knots_are_equally_spaced();
    too_many_outliers_stop();
    a_sample_after_a_wide_gap_is_left_out();
    the_first_gap();
    too_sparse();
    fewer_knots();
    rotations_agree();
    sizes_and_errors();
    return 0;
}
