#include "covariance.h"

#include <stdlib.h>

/* One entry of a pixel. */
typedef struct {
    int32_t row, column;
    double m;
} entry;

/* The state of one call. */
typedef struct {
    const ww_covariance_matrix *matrix;
    const ww_covariance_input *in;
    const ww_covariance_output *out;
    size_t cell_start, cell_stop;
    entry *list; /* of the current pixel; long enough for all */
} work;

static size_t
pixel_start(const ww_covariance_matrix *matrix, size_t pixel)
{
    return (size_t)matrix->first[pixel];
}

static int
check_matrix(const ww_covariance_matrix *matrix)
{
    int32_t n_cell;

    if (!matrix->ny || !matrix->nx || !matrix->n_pixel ||
        matrix->nx > (size_t)INT32_MAX / matrix->ny)
        return WW_ERR_SHAPE;
    n_cell = (int32_t)(matrix->ny * matrix->nx);
    if (matrix->first[0] != 0 || matrix->first[matrix->n_pixel] < 0 ||
        (uint64_t)matrix->first[matrix->n_pixel] != matrix->n_entry)
        return WW_ERR_RANGE;
    /* All of first comes before cell, which is read where first says. */
    for (size_t j = 0; j < matrix->n_pixel; j++)
        if (matrix->first[j] > matrix->first[j + 1])
            return WW_ERR_RANGE;
    for (size_t j = 0; j < matrix->n_pixel; j++) {
        int32_t before = -1;

        for (size_t e = pixel_start(matrix, j); e < pixel_start(matrix, j + 1);
             e++) {
            if (matrix->cell[e] <= before || matrix->cell[e] >= n_cell)
                return WW_ERR_RANGE;
            before = matrix->cell[e];
        }
    }
    return WW_OK;
}

/* The extent of a pixel that hits a cell: no more than reach, or else reach
 * grows to it. */
static void
grow_reach(const ww_covariance_matrix *matrix, size_t pixel, size_t reach[2])
{
    size_t start = pixel_start(matrix, pixel);
    size_t stop = pixel_start(matrix, pixel + 1);
    size_t nx = matrix->nx;
    size_t top = (size_t)matrix->cell[start] / nx, row = top;
    size_t left = nx, right = 0;

    for (size_t e = start; e < stop; e++) {
        size_t cell = (size_t)matrix->cell[e], column;

        if (cell >= (row + 1) * nx)
            row = cell / nx;
        column = cell - row * nx;
        left = column < left ? column : left;
        right = column > right ? column : right;
    }
    if (row - top > reach[0])
        reach[0] = row - top;
    if (right - left > reach[1])
        reach[1] = right - left;
}

/* Does a pixel hit a cell of the range? */
static int
is_near(const work *w, size_t pixel)
{
    const ww_covariance_matrix *matrix = w->matrix;
    size_t start = pixel_start(matrix, pixel);
    size_t stop = pixel_start(matrix, pixel + 1);

    return start < stop && (size_t)matrix->cell[start] < w->cell_stop &&
           (size_t)matrix->cell[stop - 1] >= w->cell_start;
}

/* The largest number of entries of a pixel near the range, at least 1; or 0
 * if one of them needs a longer reach. */
static size_t
most_entries(const work *w)
{
    const ww_covariance_output *out = w->out;
    size_t reach[2] = {out->reach_y, out->reach_x};
    size_t most = 1;

    for (size_t j = 0; j < w->matrix->n_pixel; j++)
        if (is_near(w, j)) {
            size_t count =
                pixel_start(w->matrix, j + 1) - pixel_start(w->matrix, j);

            grow_reach(w->matrix, j, reach);
            most = count > most ? count : most;
        }
    if (reach[0] > out->reach_y || reach[1] > out->reach_x)
        return 0;
    return most;
}

/* List the entries of a pixel with m != 0. Returns their number and sets
 * their sum. */
static size_t
list_entries(const work *w, size_t pixel, double *sum)
{
    const ww_covariance_matrix *matrix = w->matrix;
    const ww_covariance_input *in = w->in;
    size_t stop = pixel_start(matrix, pixel + 1);
    size_t nx = matrix->nx, row = 0, n = 0;

    *sum = 0.0;
    for (size_t e = pixel_start(matrix, pixel); e < stop; e++) {
        size_t cell = (size_t)matrix->cell[e];
        double m;

        if (cell >= (row + 1) * nx)
            row = cell / nx;
        if (in->weight[cell] == 0.0 ||
            (in->keep != NULL && in->keep[cell] == 0))
            continue;
        m = in->scale * matrix->g[e] / in->weight[cell];
        if (m == 0.0)
            continue;
        w->list[n++] = (entry){(int32_t)row, (int32_t)(cell - row * nx), m};
        *sum += m;
    }
    return n;
}

/* The sum of the tapered coefficients of the n entries listed, as entry a
 * sees them; sum is that without a taper. */
static double
tapered_sum(const work *w, size_t a, size_t n, double sum)
{
    const double *taper = w->in->taper;
    size_t width = w->out->reach_x + 1;

    if (taper == NULL)
        return sum;
    sum = 0.0;
    for (size_t b = 0; b < n; b++) {
        int32_t dy = w->list[b].row - w->list[a].row;
        int32_t dx = w->list[b].column - w->list[a].column;

        sum += w->list[b].m *
               taper[(size_t)abs(dy) * width + (size_t)abs(dx)];
    }
    return sum;
}

static void
add_pixel(const work *w, size_t pixel)
{
    const ww_covariance_input *in = w->in;
    const ww_covariance_output *out = w->out;
    size_t nx = w->matrix->nx, n_cell = w->matrix->ny * nx;
    ptrdiff_t width = 2 * (ptrdiff_t)out->reach_x + 1;
    double sum, total = 0.0;
    size_t n = list_entries(w, pixel, &sum);

    for (size_t k = 0; k < in->n_plane; k++)
        total += (double)in->variance[k * w->matrix->n_pixel + pixel];
    for (size_t a = 0; a < n; a++) {
        entry p = w->list[a];
        size_t cell = (size_t)p.row * nx + (size_t)p.column;
        double others;

        if (cell < w->cell_start || cell >= w->cell_stop)
            continue;
        others = tapered_sum(w, a, n, sum);
        for (size_t k = 0; k < in->n_plane; k++) {
            double v = (double)in->variance[k * w->matrix->n_pixel + pixel];

            out->row_sum[k * n_cell + cell] += p.m * others * v;
            out->diagonal[k * n_cell + cell] += p.m * p.m * v;
        }
        for (size_t b = a; b < n; b++) {
            entry q = w->list[b];
            ptrdiff_t offset = (q.row - p.row) * width + (q.column - p.column);

            out->covariance[(size_t)offset * n_cell + cell] +=
                p.m * q.m * total;
        }
    }
}

int
ww_covariance_reach(const ww_covariance_matrix *matrix, size_t *reach_y,
                    size_t *reach_x)
{
    size_t reach[2] = {0, 0};
    int status = check_matrix(matrix);

    if (status != WW_OK)
        return status;
    for (size_t j = 0; j < matrix->n_pixel; j++)
        if (matrix->first[j] < matrix->first[j + 1])
            grow_reach(matrix, j, reach);
    *reach_y = reach[0];
    *reach_x = reach[1];
    return WW_OK;
}

int
ww_covariance_add(const ww_covariance_matrix *matrix,
                  const ww_covariance_input *in,
                  const ww_covariance_output *out, size_t cell_start,
                  size_t cell_stop)
{
    work w = {.matrix = matrix,
              .in = in,
              .out = out,
              .cell_start = cell_start,
              .cell_stop = cell_stop};
    int status = check_matrix(matrix);
    size_t most;

    if (status != WW_OK)
        return status;
    if (in->n_plane == 0)
        return WW_ERR_SHAPE;
    if (cell_start > cell_stop || cell_stop > matrix->ny * matrix->nx)
        return WW_ERR_RANGE;
    most = most_entries(&w);
    if (most == 0)
        return WW_ERR_ARGUMENT;
    w.list = calloc(most, sizeof *w.list);
    if (w.list == NULL)
        return WW_ERR_NOMEM;
    for (size_t j = 0; j < matrix->n_pixel; j++)
        if (is_near(&w, j))
            add_pixel(&w, j);
    free(w.list);
    return WW_OK;
}
