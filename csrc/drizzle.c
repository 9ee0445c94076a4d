#include "drizzle.h"

#include <math.h>
#include <stdlib.h>

/* More planes get no scratch, so that its size does not overflow. */
static const size_t PLANES_MAX = SIZE_MAX / (2 * sizeof(double));

/* The state of one call. */
typedef struct {
    const ww_drizzle_input *in;
    const ww_drizzle_output *out;
    double *value; /* [in->n_plane] of the current pixel */
} work;

static inline void
add_to_cell(const work *w, size_t pixel, size_t cell, double g)
{
    const ww_drizzle_output *out = w->out;
    size_t n_cell = out->ny * out->nx;
    double *sum = out->sum + cell;

    out->weight[cell] += g;
    for (size_t k = 0; k < w->in->n_plane; k++)
        sum[k * n_cell] += g * w->value[k];
    if (out->dq != NULL && w->in->dq != NULL)
        out->dq[cell] |= w->in->dq[pixel];
    if (out->context != NULL && g > 0.0)
        out->context[cell] |= w->in->context_bit;
}

/* The ww_overlap_sink of this method. */
static void
add_list(void *context, const ww_overlap_list *list)
{
    const work *w = context;
    const ww_drizzle_input *in = w->in;
    size_t n_pixel = in->ny * in->nx;
    size_t e = 0;

    for (size_t p = 0; p < list->n_pixel; p++) {
        size_t index = list->pixel[p];
        double weight = (double)in->weight[index];

        if (in->nan_rule == WW_NAN_SKIP && !isfinite(in->value[index])) {
            e = list->stop[p];
            continue;
        }
        for (size_t k = 0; k < in->n_plane; k++)
            w->value[k] = (double)in->value[k * n_pixel + index];
        for (; e < list->stop[p]; e++)
            add_to_cell(w, index, list->cell[e], weight * list->share[e]);
    }
}

int
ww_drizzle_add(const ww_drizzle_input *in, const ww_drizzle_output *out,
               size_t row_start, size_t row_stop)
{
    ww_overlap_input pixels = {.ny = in->ny,
                               .nx = in->nx,
                               .map_x = in->map_x,
                               .map_y = in->map_y,
                               .weight = in->weight,
                               .pixfrac = in->pixfrac,
                               .kernel = in->kernel,
                               .edge = in->edge,
                               .centre_inside = in->centre_inside};
    ww_overlap_range range = {.ny = out->ny,
                              .nx = out->nx,
                              .in_stop = in->ny,
                              .out_start = row_start,
                              .out_stop = row_stop};
    work w = {.in = in, .out = out};
    int status;

    if (in->n_plane == 0)
        return WW_ERR_SHAPE;
    if (in->nan_rule != WW_NAN_SKIP && in->nan_rule != WW_NAN_POISON)
        return WW_ERR_ARGUMENT;
    if (in->n_plane < PLANES_MAX)
        w.value = calloc(in->n_plane, sizeof *w.value);
    if (w.value == NULL)
        return WW_ERR_NOMEM;
    status = ww_overlap_visit(&pixels, &range, add_list, &w);
    free(w.value);
    return status;
}
