#include "trace_image.h"

#include <math.h>
#include <stdlib.h>

#include "spline_value.h"

/* What one call works with: blocks [WW_REGION_BLOCK][stride]. */
typedef struct {
    const ww_trace *trace;
    const ww_steep_pixels *steep;
    size_t stride; /* most rows of a block */
    double *alpha, *full, *error;
    double *values;      /* [stride] of one column */
    double *reciprocals; /* [3][stride of the splines] */
    size_t *rows;        /* [stride] */
} work;

/* The standard deviation of scale * s: scale and spline are independent. */
static double
trace_error(const ww_trace *trace, const ww_column_model *model, size_t column,
            double alpha, double value)
{
    const float (*covariance)[WW_SPLINE_ORDER] =
        (const float (*)[WW_SPLINE_ORDER])trace->covariance +
        model->line * trace->splines.stride;
    double of_scale = trace->scale_error[column] * value;
    double variance =
        ww_spline_variance(model->knots, model->n_knot, covariance, alpha);

    if (variance < 0.0) /* of rounding */
        variance = 0.0;
    return sqrt(of_scale * of_scale + model->scale * model->scale * variance);
}

/* Fill column c of the block from its coordinates. */
static void
evaluate_column(const work *w, size_t c, size_t column, size_t n_row,
                int with_error)
{
    double *full = w->full + c * w->stride, *error = w->error + c * w->stride;
    const double *alpha = w->alpha + c * w->stride;
    ww_column_model model;
    size_t n;

    for (size_t r = 0; r < n_row; r++)
        full[r] = error[r] = NAN;
    if (!ww_column_model_get(&w->trace->splines, column, w->reciprocals,
                             &model))
        return;
    n = ww_column_evaluate(&model, alpha, n_row, w->rows, w->values);
    if (w->steep != NULL)
        ww_column_count_steep(w->steep, alpha, w->rows, w->values, n);
    for (size_t i = 1; i + 1 < n; i++) {
        size_t r = w->rows[i];

        full[r] = model.scale * w->values[i];
        if (with_error)
            error[r] =
                trace_error(w->trace, &model, column, alpha[r], w->values[i]);
    }
}

static void
evaluate_block(const work *w, const ww_window *window,
               const ww_output_image *full, const ww_output_image *error)
{
    const ww_region *region = &w->trace->region;
    size_t n_row = window->row_stop - window->row_start;

    ww_region_gather(region, &w->trace->alpha, w->trace->rounds, window,
                     w->stride, w->alpha);
    for (size_t c = 0; c < window->column_stop - window->column_start; c++)
        evaluate_column(w, c, window->column_start + c, n_row,
                        error->pixels != NULL);
    ww_image_scatter(full, region->nx, window, w->stride, NULL, NULL, w->full);
    ww_image_scatter(error, region->nx, window, w->stride, NULL, NULL,
                     w->error);
}

int
ww_trace_evaluate(const ww_trace *trace, const ww_steep_pixels *steep,
                  const ww_output_image *full, const ww_output_image *error,
                  size_t column_start, size_t column_stop)
{
    const ww_region *region = &trace->region;
    work w = {.trace = trace, .steep = steep};
    double *scratch;

    if (!ww_region_is_valid(region, column_start, column_stop))
        return WW_ERR_RANGE;
    if (error->pixels != NULL &&
        (trace->scale_error == NULL || trace->covariance == NULL))
        return WW_ERR_ARGUMENT;
    w.stride = ww_region_tallest(region, column_start, column_stop);
    scratch = calloc((3 * WW_REGION_BLOCK + 1) * w.stride +
                         3 * trace->splines.stride + 1,
                     sizeof *scratch);
    w.rows = calloc(w.stride + 1, sizeof *w.rows);
    if (scratch == NULL || w.rows == NULL) {
        free(w.rows);
        free(scratch);
        return WW_ERR_NOMEM;
    }
    w.alpha = scratch;
    w.full = scratch + WW_REGION_BLOCK * w.stride;
    w.error = scratch + 2 * WW_REGION_BLOCK * w.stride;
    w.values = scratch + 3 * WW_REGION_BLOCK * w.stride;
    w.reciprocals = w.values + w.stride;
    for (size_t c = column_start; c < column_stop;) {
        size_t next = ww_region_block_stop(c, column_stop);
        ww_window window = ww_region_window(region, c, next);

        evaluate_block(&w, &window, full, error);
        c = next;
    }
    free(w.rows);
    free(scratch);
    return WW_OK;
}

static double
coordinate(const ww_trace *trace, size_t place)
{
    double alpha = trace->alpha.is_float
                       ? (double)((const float *)trace->alpha.pixels)[place]
                       : ((const double *)trace->alpha.pixels)[place];

    return trace->rounds ? (double)(float)alpha : alpha;
}

int
ww_trace_keep_compact(const ww_trace *trace, const ww_compact_ranges *ranges,
                      const ww_image *source, const ww_output_image *used,
                      size_t column_start, size_t column_stop)
{
    const ww_region *region = &trace->region;
    ww_window window;

    if (!ww_region_is_valid(region, column_start, column_stop))
        return WW_ERR_RANGE;
    window = ww_region_window(region, column_start, column_stop);
    for (size_t y = window.row_start; y < window.row_stop; y++)
        for (size_t x = column_start; x < column_stop; x++) {
            size_t place = y * region->nx + x;
            double value = NAN;

            if (region->map[place] != region->label)
                continue;
            if (ww_is_compact(ranges, coordinate(trace, place)))
                value = source->is_float
                            ? (double)((const float *)source->pixels)[place]
                            : ((const double *)source->pixels)[place];
            if (used->is_float)
                ((float *)used->pixels)[place] = (float)value;
            else
                ((double *)used->pixels)[place] = value;
        }
    return WW_OK;
}
