#include "resampling_matrix.h"

#include <string.h>

/* The state of one call. */
typedef struct {
    const ww_overlap_input *in;
    ww_matrix *matrix;
    size_t first; /* index of the first pixel */
} work;

/* The ww_overlap_sink of this method. */
static void
append_list(void *context, ww_overlap_list *list)
{
    const work *w = context;
    ww_matrix *m = w->matrix;

    for (size_t e = 0; e < list->n_entry; e++, m->n_entry++) {
        size_t index = list->pixel[e];

        m->count[index - w->first]++;
        if (m->n_entry < m->capacity) {
            m->cell[m->n_entry] = (int32_t)list->cell[e];
            m->g[m->n_entry] = (double)w->in->weight[index] * list->share[e];
        }
    }
}

int
ww_drizzle_matrix(const ww_overlap_input *in, ww_matrix *matrix,
                  size_t row_start, size_t row_stop)
{
    ww_overlap_range range = {.ny = matrix->ny,
                              .nx = matrix->nx,
                              .in_start = row_start,
                              .in_stop = row_stop,
                              .out_stop = matrix->ny};
    work w = {.in = in, .matrix = matrix, .first = row_start * in->nx};

    matrix->n_entry = 0;
    if (matrix->ny == 0 || matrix->nx == 0 ||
        matrix->nx > (size_t)INT32_MAX / matrix->ny)
        return WW_ERR_SHAPE;
    if (row_start > row_stop || row_stop > in->ny)
        return WW_ERR_RANGE;
    memset(matrix->count, 0,
           (row_stop - row_start) * in->nx * sizeof *matrix->count);
    return ww_overlap_visit(in, &range, append_list, &w);
}
