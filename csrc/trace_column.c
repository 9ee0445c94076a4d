#include "trace_column.h"

#include <math.h>

#include "spline_value.h"

/* The reciprocals of the distances of knots: a division each here, six for
 * each value otherwise. */
static void
fill_reciprocals(const double *knots, size_t n_knot, double *reciprocals)
{
    for (size_t apart = 1; apart < WW_SPLINE_ORDER; apart++) {
        double *line = reciprocals + (apart - 1) * n_knot;

        for (size_t i = 0; i + apart < n_knot; i++) {
            double distance = knots[i + apart] - knots[i];

            line[i] = distance > 0.0 ? 1.0 / distance : 0.0;
        }
    }
}

int
ww_column_model_get(const ww_trace_splines *splines, size_t column,
                    double *reciprocals, ww_column_model *model)
{
    int32_t line = splines->model[column];

    if (line < 0 || (size_t)line >= splines->n_column ||
        splines->n_knot[line] < 2 * WW_SPLINE_ORDER ||
        (size_t)splines->n_knot[line] > splines->stride)
        return 0;
    model->line = (size_t)line;
    model->n_knot = (size_t)splines->n_knot[line];
    model->knots = splines->knots + model->line * splines->stride;
    model->coefficients =
        splines->coefficients + model->line * splines->stride;
    model->lower = splines->lower[line];
    model->upper = splines->upper[line];
    model->scale = splines->scale[column];
    model->reciprocals = reciprocals;
    fill_reciprocals(model->knots, model->n_knot, reciprocals);
    return 1;
}

/* De Boor 1972, J. Approx. Theory 6, 50: the coefficients are interpolated to
 * x again and again. */
double
ww_column_value(const ww_column_model *model, double x, size_t *piece)
{
    size_t first = WW_SPLINE_ORDER - 1;
    size_t last = model->n_knot - WW_SPLINE_ORDER - 1, k = *piece;
    const double *t, *c, *r1, *r2, *r3;
    double d1, d2, d3;

    k = k < first ? first : k > last ? last : k;
    while (k < last && x >= model->knots[k + 1])
        k++;
    while (k > first && x < model->knots[k])
        k--;
    *piece = k;
    t = model->knots + k;
    c = model->coefficients + k;
    r1 = model->reciprocals + k;
    r2 = r1 + model->n_knot;
    r3 = r2 + model->n_knot;
    d3 = c[-1] + (x - t[0]) * r3[0] * (c[0] - c[-1]);
    d2 = c[-2] + (x - t[-1]) * r3[-1] * (c[-1] - c[-2]);
    d1 = c[-3] + (x - t[-2]) * r3[-2] * (c[-2] - c[-3]);
    d3 = d2 + (x - t[0]) * r2[0] * (d3 - d2);
    d2 = d1 + (x - t[-1]) * r2[-1] * (d2 - d1);
    return d2 + (x - t[0]) * r1[0] * (d3 - d2);
}

size_t
ww_column_evaluate(const ww_column_model *model, const double *alpha,
                   size_t n_row, size_t *rows, double *values)
{
    size_t n = 0, piece = 0;

    for (size_t r = 0; r < n_row; r++) {
        if (!isfinite(alpha[r]) || !(alpha[r] >= model->lower) ||
            !(alpha[r] <= model->upper))
            continue;
        rows[n] = r;
        values[n++] = ww_column_value(model, alpha[r], &piece);
    }
    return n;
}

static void
count_one(const ww_steep_pixels *steep, double alpha)
{
    size_t last = steep->n_bin - 1;
    double width = steep->edges[steep->n_bin] - steep->edges[0];
    double at = (alpha - steep->edges[0]) / width * (double)steep->n_bin;
    size_t k;

    steep->count[steep->n_bin]++;
    if (!(alpha >= steep->edges[0]) || alpha > steep->edges[steep->n_bin])
        return;
    k = at < 0.0 ? 0 : (size_t)at;
    if (k > last)
        k = last;
    while (k > 0 && alpha < steep->edges[k])
        k--;
    while (k < last && alpha >= steep->edges[k + 1])
        k++;
    steep->count[k]++;
}

void
ww_column_count_steep(const ww_steep_pixels *steep, const double *alpha,
                      const size_t *rows, const double *values, size_t n)
{
    size_t start = steep->skip_first ? steep->skip_first : 1;

    for (size_t i = start; i + steep->skip_last < n; i++)
        if (fabs(values[i] - values[i - 1]) > steep->limit)
            count_one(steep, steep->is_between
                                 ? (alpha[rows[i - 1]] + alpha[rows[i]]) / 2.0
                                 : alpha[rows[i]]);
}

int
ww_is_compact(const ww_compact_ranges *ranges, double alpha)
{
    if (ranges->everywhere)
        return 1;
    for (size_t i = 0; i < ranges->n; i++)
        if (ranges->range[2 * i] < alpha && alpha <= ranges->range[2 * i + 1])
            return 1;
    return 0;
}
