#include <math.h>
#include <stdlib.h>

#include "oversample.h"

/* What one call works with: blocks [WW_REGION_BLOCK][stride]. */
typedef struct {
    const ww_linear_input *in;
    const ww_output_image *out;
    size_t stride, fine_stride;
    double *values, *fine;
    size_t *list;
} work;

static size_t
count_finite(const double *values, size_t n)
{
    size_t count = 0;

    for (size_t i = 0; i < n; i++)
        count += isfinite(values[i]) ? 1 : 0;
    return count;
}

/* Interpolate one column at the rows [first, stop) of the fine grid. */
static void
interpolate_column(const work *w, const ww_column *column, size_t x,
                   size_t first, size_t stop, double *out)
{
    const ww_linear_input *in = w->in;

    ww_fine_interpolate(&in->grid, column, first, stop, in->edge,
                        in->preserve_nan && in->keep == NULL, w->list, out);
    for (size_t i = 0; i < stop - first; i++) {
        if (in->preserve_nan && in->keep != NULL &&
            in->keep[(first + i) * in->region.nx + x] == 0 &&
            !ww_fine_is_finite(&in->grid, column, first + i))
            out[i] = NAN;
        if (in->is_variance)
            out[i] *= out[i];
        out[i] *= in->multiply;
    }
}

static void
interpolate_block(const work *w, const ww_window *window)
{
    const ww_linear_input *in = w->in;
    const ww_region *region = &in->region;
    ww_window fine = *window;
    size_t first[WW_REGION_BLOCK], stop[WW_REGION_BLOCK];
    size_t n_row = window->row_stop - window->row_start;

    ww_fine_reach(&in->grid, window->row_start, window->row_stop,
                  &fine.row_start, &fine.row_stop);
    ww_region_gather(region, &in->image, 0, window, w->stride, w->values);
    for (size_t c = 0; c < window->column_stop - window->column_start; c++) {
        size_t x = window->column_start + c;
        double *values = w->values + c * w->stride;
        ww_column column = {window->row_start, n_row, values};

        first[c] = stop[c] = 0;
        if (in->is_variance)
            for (size_t r = 0; r < n_row; r++)
                values[r] = sqrt(values[r]);
        if (count_finite(values, n_row) <= in->require_good)
            continue;
        ww_fine_rows(&in->grid, (size_t)region->first[x],
                     (size_t)region->stop[x], &first[c], &stop[c]);
        interpolate_column(w, &column, x, first[c], stop[c],
                           w->fine + c * w->fine_stride + first[c] -
                               fine.row_start);
    }
    ww_image_scatter(w->out, region->nx, &fine, w->fine_stride, first, stop,
                     w->fine);
}

int
ww_oversample_linear(const ww_linear_input *in, const ww_output_image *out,
                     size_t column_start, size_t column_stop)
{
    work w = {.in = in, .out = out};

    if (!ww_region_is_valid(&in->region, column_start, column_stop))
        return WW_ERR_RANGE;
    if (in->grid.ny != in->region.ny || !ww_fine_is_valid(&in->grid))
        return WW_ERR_SHAPE;
    w.stride = ww_region_tallest(&in->region, column_start, column_stop);
    w.fine_stride = ww_fine_room(&in->grid, w.stride);
    w.values =
        calloc(WW_REGION_BLOCK * (w.stride + w.fine_stride), sizeof *w.values);
    w.list = calloc(w.stride + 1, sizeof *w.list);
    if (w.values == NULL || w.list == NULL) {
        free(w.list);
        free(w.values);
        return WW_ERR_NOMEM;
    }
    w.fine = w.values + WW_REGION_BLOCK * w.stride;
    for (size_t c = column_start; c < column_stop;) {
        size_t next = ww_region_block_stop(c, column_stop);
        ww_window window = ww_region_window(&in->region, c, next);

        if (window.row_start < window.row_stop)
            interpolate_block(&w, &window);
        c = next;
    }
    free(w.list);
    free(w.values);
    return WW_OK;
}
