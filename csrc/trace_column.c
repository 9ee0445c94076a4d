#include "trace_column.h"

#include <math.h>

#include "spline_value.h"

int
ww_column_model_get(const ww_trace_splines *splines, size_t column,
                    ww_column_model *model)
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
    return 1;
}

size_t
ww_column_evaluate(const ww_column_model *model, const double *alpha,
                   size_t n_row, size_t *rows, double *values)
{
    size_t n = 0;

    for (size_t r = 0; r < n_row; r++) {
        if (!isfinite(alpha[r]) || !(alpha[r] >= model->lower) ||
            !(alpha[r] <= model->upper))
            continue;
        rows[n] = r;
        values[n++] = ww_spline_value(model->knots, model->n_knot,
                                      model->coefficients, alpha[r]);
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
            count_one(steep, alpha[rows[i]]);
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
