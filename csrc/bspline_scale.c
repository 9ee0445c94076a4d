#include "bspline_scale.h"

#include <math.h>
#include <stdlib.h>

#include "arena.h"
#include "bspline_columns.h"
#include "clipped_mean.h"
#include "spline_value.h"

enum {
    N_HEAVY = 5 /* the heaviest pixels of a column, and the least number */
};

/* A pixel is left out if it is further from the mean than this. */
static const double N_DEVIATION = 2.0;

/* The pixels of a column between lower and upper. */
typedef struct {
    size_t n;
    double *flux, *error, *model, *ratio, *weight;
    double *chosen, *scratch; /* all [n_row] */
} column_pixels;

static void
init(column_pixels *c, size_t n_row, ww_arena *arena)
{
    c->flux = ww_arena_take(arena, n_row, sizeof(double));
    c->error = ww_arena_take(arena, n_row, sizeof(double));
    c->model = ww_arena_take(arena, n_row, sizeof(double));
    c->ratio = ww_arena_take(arena, n_row, sizeof(double));
    c->weight = ww_arena_take(arena, n_row, sizeof(double));
    c->chosen = ww_arena_take(arena, n_row, sizeof(double));
    c->scratch = ww_arena_take(arena, n_row, sizeof(double));
}

static void
gather(const ww_trace_samples *s, const ww_trace_splines *splines,
       size_t column, size_t line, column_pixels *c)
{
    const double *knots = splines->knots + line * splines->stride;
    const double *coefficients =
        splines->coefficients + line * splines->stride;
    size_t n_knot = (size_t)splines->n_knot[line];

    c->n = 0;
    for (size_t p = column * s->n_row; p < (column + 1) * s->n_row; p++) {
        double a = s->alpha[p];

        if (!(a >= splines->lower[line] && a <= splines->upper[line]))
            continue;
        c->flux[c->n] = s->flux[p];
        c->error[c->n] = s->error ? s->error[p] : NAN;
        c->model[c->n++] = ww_spline_value(knots, n_knot, coefficients, a);
    }
}

/* The fifth largest weight. */
static double
fifth_largest(const double *weight, size_t n)
{
    double top[N_HEAVY];

    for (size_t i = 0; i < N_HEAVY; i++)
        top[i] = -INFINITY;
    for (size_t i = 0; i < n; i++) {
        double w = weight[i];

        for (size_t k = 0; k < N_HEAVY; k++)
            if (w > top[k]) {
                double swap = top[k];

                top[k] = w;
                w = swap;
            }
    }
    return top[N_HEAVY - 1];
}

/* Set the weights of the pixels of a column. Returns their sum. */
static double
weigh(column_pixels *c)
{
    double heavy, sum = 0.0;
    ww_clipped_mean mean;
    size_t n_chosen = 0;

    for (size_t i = 0; i < c->n; i++) {
        double q = c->ratio[i] = c->flux[i] / c->model[i];

        c->weight[i] =
            isfinite(q) && q >= 0.0 && c->model[i] >= 0.0 ? c->model[i] : 0.0;
    }
    heavy = fifth_largest(c->weight, c->n);
    for (size_t i = 0; i < c->n; i++)
        if (c->weight[i] >= heavy && isfinite(c->ratio[i]))
            c->chosen[n_chosen++] = c->ratio[i];
    mean = ww_clip_mean(c->chosen, n_chosen, c->scratch, NULL);
    for (size_t i = 0; i < c->n; i++) {
        if (fabs(mean.mean - c->ratio[i]) > N_DEVIATION * mean.deviation)
            c->weight[i] = 0.0;
        sum += c->weight[i];
    }
    return sum;
}

/* The scale from the weights and their sum, which is not 0. */
static double
weighted_mean(const column_pixels *c, double sum)
{
    double mean = 0.0;

    for (size_t i = 0; i < c->n; i++)
        if (c->weight[i] > 0.0)
            mean += c->ratio[i] * (c->weight[i] / sum);
    return mean;
}

/* The error of the scale: weights are values of the spline, so the scale is
 * the sum of the fluxes over the sum of the weights. A pixel without an error
 * counts as an average one. */
static double
error_of_scale(const column_pixels *c, double sum)
{
    double variance = 0.0, n_used = 0.0, n_known = 0.0;

    for (size_t i = 0; i < c->n; i++) {
        if (!(c->weight[i] > 0.0))
            continue;
        n_used += 1.0;
        if (c->error[i] > 0.0 && isfinite(c->error[i])) {
            variance += c->error[i] * c->error[i];
            n_known += 1.0;
        }
    }
    return sqrt(variance * n_used / n_known) / sum;
}

static float
mean_chi2(const column_pixels *c, double scale)
{
    double sum = 0.0, n = 0.0;

    for (size_t i = 0; i < c->n; i++) {
        double d = (c->flux[i] - scale * c->model[i]) / c->error[i];

        if (c->error[i] > 0.0 && isfinite(d)) {
            sum += d * d;
            n += 1.0;
        }
    }
    return (float)(sum / n);
}

static void
scale_column(column_pixels *c, int compat, const ww_column_scales *out,
             size_t column)
{
    double sum = c->n < N_HEAVY ? 0.0 : weigh(c);

    if (sum > 0.0)
        out->scale[column] = weighted_mean(c, sum);
    else if (compat && c->n >= N_HEAVY)
        out->scale[column] = 0.0;
    else {
        out->flags[column] |= WW_COLUMN_NO_SCALE;
        return;
    }
    out->chi2[column] = mean_chi2(c, out->scale[column]);
    if (out->scale_error && sum > 0.0)
        out->scale_error[column] = error_of_scale(c, sum);
}

static int
check(const ww_trace_samples *samples, const ww_trace_splines *splines,
      size_t start, size_t stop)
{
    if (!samples->n_column || !samples->n_row ||
        samples->n_column != splines->n_column)
        return WW_ERR_SHAPE;
    if (start > stop || stop > samples->n_column)
        return WW_ERR_RANGE;
    for (size_t column = start; column < stop; column++) {
        int32_t line = splines->model[column];

        if (line >= 0 && ((size_t)line >= splines->n_column ||
                          splines->n_knot[line] < 2 * WW_SPLINE_ORDER ||
                          (size_t)splines->n_knot[line] > splines->stride))
            return WW_ERR_RANGE;
    }
    return WW_OK;
}

int
ww_bspline_scales(const ww_trace_samples *samples,
                  const ww_trace_splines *splines, int compat,
                  const ww_column_scales *out, size_t start, size_t stop)
{
    column_pixels c = {0};
    ww_arena arena = {NULL, 0};
    int status = check(samples, splines, start, stop);

    if (status != WW_OK)
        return status;
    init(&c, samples->n_row, &arena);
    arena = (ww_arena){malloc(arena.used), 0};
    if (!arena.base)
        return WW_ERR_NOMEM;
    init(&c, samples->n_row, &arena);
    for (size_t column = start; column < stop; column++) {
        if (splines->model[column] < 0)
            continue;
        out->scale[column] = NAN;
        out->chi2[column] = NAN;
        if (out->scale_error)
            out->scale_error[column] = NAN;
        gather(samples, splines, column, (size_t)splines->model[column], &c);
        scale_column(&c, compat, out, column);
    }
    free(arena.base);
    return WW_OK;
}
