#include "slit_samples.h"

#include <math.h>
#include <stdlib.h>

#include "arena.h"

/* A column on its way into the lists. */
typedef struct {
    const ww_slit_planes *in;
    int is_difference; /* something is subtracted */
    size_t column;
    double *n_added, *n_other; /* [n_row] exposures of either side */
    int64_t *owner;            /* [n_row] pixel in the lists, -1 if invalid */
    uint8_t *used;             /* [n_exposure][n_row] */
} column_work;

static void
take(ww_arena *arena, column_work *work)
{
    size_t n_row = work->in->n_row;

    work->n_added = ww_arena_take(arena, n_row, sizeof(double));
    work->n_other = ww_arena_take(arena, n_row, sizeof(double));
    work->owner = ww_arena_take(arena, n_row, sizeof(int64_t));
    work->used = ww_arena_take(arena, work->in->n_exposure * n_row, 1);
}

/* Mark the samples of an exposure that are used, and count them. */
static void
count_exposure(const column_work *work, size_t exposure)
{
    const ww_slit_planes *in = work->in;
    int is_added = in->side[exposure] == WW_NOD_ADDED;
    size_t first = exposure * in->n_row * in->n_column + work->column;
    const uint8_t *mask = (is_added ? in->may_add : in->may_subtract) + first;
    const double *spread = in->spread + first;
    uint8_t *used = work->used + exposure * in->n_row;
    double *n = is_added ? work->n_added : work->n_other;

    for (size_t row = 0; row < in->n_row; row++) {
        size_t p = row * in->n_column;

        used[row] = (mask[p] != 0) & (isfinite(spread[p]) != 0);
        n[row] += used[row];
    }
}

static void
count_column(const column_work *work)
{
    const ww_slit_planes *in = work->in;

    for (size_t row = 0; row < in->n_row; row++)
        work->n_added[row] = work->n_other[row] = 0.0;
    for (size_t e = 0; e < in->n_exposure; e++)
        if (in->side[e] != WW_NOD_UNUSED)
            count_exposure(work, e);
}

/* List the pixels of a column from number i on; returns the next number. */
static int64_t
list_pixels(const column_work *work, int64_t i, const ww_slit_lists *to)
{
    const ww_slit_planes *in = work->in;

    for (size_t row = 0; row < in->n_row; row++) {
        size_t p = row * in->n_column + work->column;

        work->owner[row] = -1;
        if (!(isfinite(in->diff[p]) && in->variance[p] > 0.0 &&
              in->read_variance[p] > 0.0 && work->n_added[row] > 0.0) ||
            (work->is_difference && !(work->n_other[row] > 0.0)))
            continue;
        work->owner[row] = i;
        to->place[i] = (int64_t)p;
        to->column[i] = (int64_t)work->column;
        to->diff[i] = in->diff[p];
        to->variance[i] = in->variance[p];
        to->weight[i] = 1.0 / in->read_variance[p];
        to->inverse_error[i] = 1.0 / sqrt(in->variance[p]);
        i++;
    }
    return i;
}

/* List the samples of an exposure in a column, like list_pixels. */
static int64_t
list_samples(const column_work *work, size_t exposure, int64_t i,
             const ww_slit_lists *to)
{
    const ww_slit_planes *in = work->in;
    int is_added = in->side[exposure] == WW_NOD_ADDED;
    const uint8_t *used = work->used + exposure * in->n_row;
    double base = in->base[exposure * in->n_column + work->column];

    for (size_t row = 0; row < in->n_row; row++) {
        size_t at = (exposure * in->n_row + row) * in->n_column + work->column;

        if (!used[row] || work->owner[row] < 0)
            continue;
        to->sample_place[i] = (int64_t)at;
        to->owner[i] = work->owner[row];
        to->y[i] = is_added ? (double)row - base : in->distance[at];
        to->spread[i] = in->spread[at];
        to->share[i] =
            is_added ? 1.0 / work->n_added[row] : -1.0 / work->n_other[row];
        i++;
    }
    return i;
}

int
ww_slit_list(const ww_slit_planes *in, const ww_slit_lists *to)
{
    column_work work = {.in = in};
    ww_arena arena = {NULL, 0};
    int64_t n_pixel = 0, n_sample = 0;

    for (size_t e = 0; e < in->n_exposure; e++) {
        if (in->side[e] > WW_NOD_SUBTRACTED)
            return WW_ERR_ARGUMENT;
        work.is_difference |= in->side[e] == WW_NOD_SUBTRACTED;
    }
    take(&arena, &work);
    arena.base = malloc(arena.used + 1);
    if (arena.base == NULL)
        return WW_ERR_NOMEM;
    arena.used = 0;
    take(&arena, &work);
    to->pixel_start[0] = to->sample_start[0] = 0;
    for (work.column = 0; work.column < in->n_column; work.column++) {
        count_column(&work);
        n_pixel = list_pixels(&work, n_pixel, to);
        for (size_t e = 0; e < in->n_exposure; e++)
            if (in->side[e] != WW_NOD_UNUSED)
                n_sample = list_samples(&work, e, n_sample, to);
        to->pixel_start[work.column + 1] = n_pixel;
        to->sample_start[work.column + 1] = n_sample;
    }
    free(arena.base);
    return WW_OK;
}
