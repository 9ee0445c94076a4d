#include "oversample.h"

#include <math.h>
#include <stdlib.h>

/* What one call works with: blocks [WW_REGION_BLOCK][stride] of the image and
 * [WW_REGION_BLOCK][fine_stride] of the fine grid. */
typedef struct {
    const ww_oversample_input *in;
    size_t stride, fine_stride;
    double *alpha, *flux;
    double *fine_alpha, *best, *used, *full, *linear, *residual;
    double *values, *difference; /* [stride] of one column */
    double *reciprocals;         /* [3][stride of the splines] */
    size_t *rows, *list;         /* [stride] */
    double *scratch;
} work;

enum {
    N_FINE_PLANE = 6 /* fine_alpha to residual */
};

static int
begin_work(work *w, const ww_oversample_input *in, size_t column_start,
           size_t column_stop)
{
    const ww_region *region = &in->trace.region;
    size_t block, fine_block;

    w->in = in;
    if (!ww_region_is_valid(region, column_start, column_stop))
        return WW_ERR_RANGE;
    if (in->grid.ny != region->ny || !ww_fine_is_valid(&in->grid))
        return WW_ERR_SHAPE;
    w->stride = ww_region_tallest(region, column_start, column_stop);
    w->fine_stride = ww_fine_room(&in->grid, w->stride);
    block = WW_REGION_BLOCK * w->stride;
    fine_block = WW_REGION_BLOCK * w->fine_stride;
    w->scratch = calloc(2 * block + N_FINE_PLANE * fine_block + 2 * w->stride +
                            3 * in->trace.splines.stride,
                        sizeof *w->scratch);
    w->rows = calloc(2 * w->stride + 1, sizeof *w->rows);
    if (w->scratch == NULL || w->rows == NULL) {
        free(w->rows);
        free(w->scratch);
        return WW_ERR_NOMEM;
    }
    w->list = w->rows + w->stride;
    w->alpha = w->scratch;
    w->flux = w->alpha + block;
    w->fine_alpha = w->flux + block;
    w->best = w->fine_alpha + fine_block;
    w->used = w->best + fine_block;
    w->full = w->used + fine_block;
    w->linear = w->full + fine_block;
    w->residual = w->linear + fine_block;
    w->values = w->residual + fine_block;
    w->difference = w->values + w->stride;
    w->reciprocals = w->difference + w->stride;
    return WW_OK;
}

static void
end_work(work *w)
{
    free(w->rows);
    free(w->scratch);
}

/* Take alpha and flux of a window out of the images. */
static void
gather(const work *w, const ww_window *window)
{
    const ww_trace *trace = &w->in->trace;

    ww_region_gather(&trace->region, &trace->alpha, trace->rounds, window,
                     w->stride, w->alpha);
    ww_region_gather(&trace->region, &w->in->flux, 0, window, w->stride,
                     w->flux);
}

/* Are there pixels enough in column c of the block? */
static int
is_good(const work *w, size_t c, size_t n_row)
{
    const double *flux = w->flux + c * w->stride;
    size_t count = 0;

    for (size_t r = 0; r < n_row; r++)
        count += isfinite(flux[r]) ? 1 : 0;
    return count > w->in->require_good;
}

/* The residual between flux and trace on the fine grid. */
static void
interpolate_residual(const work *w, const ww_column_model *model, size_t c,
                     const ww_window *window, size_t first, size_t stop,
                     double *residual)
{
    size_t n_row = window->row_stop - window->row_start;
    const double *flux = w->flux + c * w->stride;
    ww_column column = {window->row_start, n_row, w->difference};
    size_t n = ww_column_evaluate(model, w->alpha + c * w->stride, n_row,
                                  w->rows, w->values);

    for (size_t r = 0; r < n_row; r++)
        w->difference[r] = NAN;
    for (size_t i = 0; i < n; i++) {
        double value = flux[w->rows[i]] - model->scale * w->values[i];

        w->difference[w->rows[i]] =
            w->in->rounds_residual ? (double)(float)value : value;
    }
    ww_fine_interpolate(&w->in->grid, &column, first, stop, w->in->edge, 0,
                        w->list, residual);
}

/* The trace on the fine grid; n samples, NaN beforehand. */
static void
evaluate_trace(const work *w, const ww_column_model *model,
               const double *alpha, size_t n, double *full)
{
    const ww_oversample_input *in = w->in;
    size_t inside = 0, seen = 0, piece = 0;

    for (size_t i = 0; i < n; i++)
        inside += isfinite(alpha[i]) && alpha[i] >= model->lower &&
                  alpha[i] <= model->upper;
    for (size_t i = 0; i < n; i++) {
        size_t place, of;

        if (!isfinite(alpha[i]) || !(alpha[i] >= model->lower) ||
            !(alpha[i] <= model->upper))
            continue;
        place = in->trims_column ? i : seen;
        of = in->trims_column ? n : inside;
        seen++;
        if (in->trim_ends && (place < in->edge || place + in->edge >= of))
            continue;
        full[i] = model->scale * ww_column_value(model, alpha[i], &piece);
    }
}

/* Fill the outputs of column c of the block at the rows [first, stop), which
 * begin at `at` in the blocks of the fine grid. */
static void
oversample_column(const work *w, size_t c, const ww_window *window,
                  size_t first, size_t stop, size_t at)
{
    const ww_oversample_input *in = w->in;
    ww_column column = {window->row_start,
                        window->row_stop - window->row_start,
                        w->flux + c * w->stride};
    ww_column_model model;
    size_t n = stop - first;

    for (size_t i = at; i < at + n; i++)
        w->used[i] = w->full[i] = w->residual[i] = NAN;
    ww_fine_interpolate(&in->grid, &column, first, stop, in->edge, 1, w->list,
                        w->linear + at);
    if (ww_column_model_get(&in->trace.splines, window->column_start + c,
                            w->reciprocals, &model)) {
        interpolate_residual(w, &model, c, window, first, stop,
                             w->residual + at);
        evaluate_trace(w, &model, w->fine_alpha + at, n, w->full + at);
    }
    for (size_t i = at; i < at + n; i++) {
        if (ww_is_compact(&in->compact, w->fine_alpha[i]))
            w->used[i] = w->full[i];
        w->best[i] = isfinite(w->used[i]) ? w->used[i] : w->linear[i];
        if (!in->without_residual && isfinite(w->used[i]) &&
            isfinite(w->residual[i]))
            w->best[i] += w->residual[i];
    }
}

static void
oversample_block(const work *w, const ww_oversample_output *out,
                 const ww_window *window)
{
    const ww_oversample_input *in = w->in;
    const ww_region *region = &in->trace.region;
    size_t first[WW_REGION_BLOCK], stop[WW_REGION_BLOCK];
    size_t n_row = window->row_stop - window->row_start, nx = region->nx;
    ww_window fine = *window;

    ww_fine_reach(&in->grid, window->row_start, window->row_stop,
                  &fine.row_start, &fine.row_stop);
    gather(w, window);
    ww_image_gather(&in->fine_alpha, nx, &fine, w->fine_stride, w->fine_alpha);
    for (size_t c = 0; c < window->column_stop - window->column_start; c++) {
        size_t x = window->column_start + c;

        first[c] = stop[c] = 0;
        if (!is_good(w, c, n_row))
            continue;
        ww_fine_rows(&in->grid, (size_t)region->first[x],
                     (size_t)region->stop[x], &first[c], &stop[c]);
        oversample_column(w, c, window, first[c], stop[c],
                          c * w->fine_stride + first[c] - fine.row_start);
    }
    ww_image_scatter(&out->flux, nx, &fine, w->fine_stride, first, stop,
                     w->best);
    ww_image_scatter(&out->used, nx, &fine, w->fine_stride, first, stop,
                     w->used);
    ww_image_scatter(&out->full, nx, &fine, w->fine_stride, first, stop,
                     w->full);
    ww_image_scatter(&out->linear, nx, &fine, w->fine_stride, first, stop,
                     w->linear);
    ww_image_scatter(&out->residual, nx, &fine, w->fine_stride, first, stop,
                     w->residual);
}

int
ww_oversample_flux(const ww_oversample_input *in,
                   const ww_oversample_output *out, size_t column_start,
                   size_t column_stop)
{
    const ww_region *region = &in->trace.region;
    work w;
    int status = begin_work(&w, in, column_start, column_stop);

    if (status != WW_OK)
        return status;
    for (size_t c = column_start; c < column_stop;) {
        size_t next = ww_region_block_stop(c, column_stop);
        ww_window window = ww_region_window(region, c, next);

        if (window.row_start < window.row_stop)
            oversample_block(&w, out, &window);
        c = next;
    }
    end_work(&w);
    return WW_OK;
}

int
ww_oversample_count_steep(const ww_oversample_input *in,
                          const ww_steep_pixels *steep, size_t column_start,
                          size_t column_stop)
{
    const ww_region *region = &in->trace.region;
    ww_column_model model;
    work w;
    int status = begin_work(&w, in, column_start, column_stop);

    if (status != WW_OK)
        return status;
    for (size_t start = column_start; start < column_stop;) {
        size_t next = ww_region_block_stop(start, column_stop);
        ww_window window = ww_region_window(region, start, next);
        size_t n_row = window.row_stop - window.row_start;

        gather(&w, &window);
        for (size_t c = 0; c < next - start; c++) {
            const double *alpha = w.alpha + c * w.stride;
            size_t n;

            if (!is_good(&w, c, n_row) ||
                !ww_column_model_get(&in->trace.splines, start + c,
                                     w.reciprocals, &model))
                continue;
            n = ww_column_evaluate(&model, alpha, n_row, w.rows, w.values);
            ww_column_count_steep(steep, alpha, w.rows, w.values, n);
        }
        start = next;
    }
    end_work(&w);
    return WW_OK;
}
