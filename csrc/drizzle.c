#include "drizzle.h"

#include <math.h>

/* The state of one call. */
typedef struct {
    const ww_drizzle_input *in;
    const ww_drizzle_output *out;
} work;

/* Turn the shares of a list into weights, and drop pixels without a value. */
static void
weigh(const ww_drizzle_input *in, ww_overlap_list *list)
{
    size_t n = 0;

    for (size_t e = 0; e < list->n_entry; e++) {
        size_t pixel = list->pixel[e];

        list->pixel[n] = pixel;
        list->cell[n] = list->cell[e];
        list->share[n] = (double)in->weight[pixel] * list->share[e];
        n += in->nan_rule != WW_NAN_SKIP || isfinite(in->value[pixel]);
    }
    list->n_entry = n;
}

/* One loop per array: they are short, and the list stays in the cache. */
static void
add_plane(const ww_overlap_list *list, const float *value, double *sum)
{
    for (size_t e = 0; e < list->n_entry; e++)
        sum[list->cell[e]] += list->share[e] * (double)value[list->pixel[e]];
}

/* The ww_overlap_sink of this method. */
static void
add_list(void *context, ww_overlap_list *list)
{
    const work *w = context;
    const ww_drizzle_input *in = w->in;
    const ww_drizzle_output *out = w->out;
    size_t n_pixel = in->ny * in->nx, n_cell = out->ny * out->nx;

    weigh(in, list);
    for (size_t e = 0; e < list->n_entry; e++)
        out->weight[list->cell[e]] += list->share[e];
    for (size_t k = 0; k < in->n_plane; k++)
        add_plane(list, in->value + k * n_pixel, out->sum + k * n_cell);
    if (out->dq != NULL && in->dq != NULL)
        for (size_t e = 0; e < list->n_entry; e++)
            out->dq[list->cell[e]] |= in->dq[list->pixel[e]];
    if (out->context != NULL)
        for (size_t e = 0; e < list->n_entry; e++)
            if (list->share[e] > 0.0)
                out->context[list->cell[e]] |= in->context_bit;
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
                               .edge = in->edge};
    ww_overlap_range range = {.ny = out->ny,
                              .nx = out->nx,
                              .in_stop = in->ny,
                              .out_start = row_start,
                              .out_stop = row_stop};
    work w = {.in = in, .out = out};

    if (in->n_plane == 0)
        return WW_ERR_SHAPE;
    if (in->nan_rule != WW_NAN_SKIP && in->nan_rule != WW_NAN_POISON)
        return WW_ERR_ARGUMENT;
    return ww_overlap_visit(&pixels, &range, add_list, &w);
}
