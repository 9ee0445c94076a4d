#include "histogram_drizzle.h"

#include <math.h>
#include <stdlib.h>

/* Pixels of a table follow each other along rows of the detector: the next one
 * is in the same cell or a few further. Beyond this many, halving is faster. */
#define MOST_STEPS 6

typedef struct {
    size_t cell;
    double part;
} share;

/* The cell of sub-sample s, beginning with a guess; -1 below the first one,
 * n_cell above the last one. */
static ptrdiff_t
find_cell(const ww_histogram_axis *axis, size_t s, double position,
          size_t guess)
{
    const double *edge = axis->edge + s;
    size_t step = axis->n_shift, n_cell = axis->n_cell;
    size_t low = 0, high = n_cell, c = guess < n_cell ? guess : n_cell - 1;

    if (position < edge[0])
        return -1;
    if (position > edge[n_cell * step])
        return (ptrdiff_t)n_cell;
    for (int tried = 0; tried < MOST_STEPS; tried++) {
        if (position < edge[c * step])
            c--;
        else if (c + 1 < n_cell && position >= edge[(c + 1) * step])
            c++;
        else
            return (ptrdiff_t)c;
    }
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;

        if (position < edge[middle * step])
            high = middle;
        else
            low = middle;
    }
    return (ptrdiff_t)low;
}

/* How many sub-samples lie in cell c or above it. Of the edge above the last
 * cell only those beyond it do. No branches: where a pixel is divided is as
 * good as random. */
static size_t
count_from(const ww_histogram_axis *axis, double position, size_t c)
{
    const double *edge = axis->edge + c * axis->n_shift;
    size_t n = 0;

    if (c == axis->n_cell) {
        for (size_t s = 0; s < axis->n_shift; s++)
            n += position > edge[s];
        return n;
    }
    for (size_t s = 0; s < axis->n_shift; s++)
        n += position >= edge[s];
    return n;
}

/* The cells of the sub-samples of one pixel along an axis, the highest first;
 * how many. guess is the cell of its first one. As edges increase with s, cells
 * fall: the first and the last sub-sample tell all that lie between. */
static size_t
find_shares(const ww_histogram_axis *axis, double position, size_t *guess,
            share *shares)
{
    size_t n = 0, counted = 0, last = axis->n_shift - 1;
    ptrdiff_t first, final, n_cell = (ptrdiff_t)axis->n_cell;
    double part = 1.0 / (double)axis->n_shift;

    if (!isfinite(position))
        return 0;
    first = find_cell(axis, 0, position, *guess);
    if (first >= 0 && first < n_cell)
        *guess = (size_t)first;
    final = last ? find_cell(axis, last, position, *guess) : first;
    for (ptrdiff_t cell = first; cell >= final; cell--) {
        size_t above = cell == final
                           ? axis->n_shift
                           : count_from(axis, position, (size_t)cell);

        if (above > counted && cell >= 0 && cell < n_cell) {
            shares[n].cell = (size_t)cell;
            shares[n++].part = (double)(above - counted) * part;
        }
        counted = above;
    }
    return n;
}

/* Add a pixel to one cell; further is its share in the row above. */
static void
add_to_cell(const ww_histogram_pixels *pixels, size_t i, size_t cell,
            size_t n_cell, double part, double further,
            const ww_histogram_sums *sums)
{
    double w = pixels->weight[i], noise = pixels->variance[i] * w * w;

    sums->den[cell] += w * part;
    sums->count[cell] += part;
    sums->linear[cell] += noise * part;
    sums->square[cell] += noise * part * part;
    if (further > 0)
        sums->above[cell] += noise * part * further;
    for (size_t p = 0; p < pixels->n_plane; p++)
        sums->num[p * n_cell + cell] +=
            pixels->value[p * pixels->n_pixel + i] * w * part;
}

/* The share of a row, 0 if the pixel is not in it. The neighbours of share k
 * are before and after it. */
static double
part_of_row(const share *shares, size_t n, size_t k, size_t row)
{
    if (k > 0 && shares[k - 1].cell == row)
        return shares[k - 1].part;
    return k + 1 < n && shares[k + 1].cell == row ? shares[k + 1].part : 0;
}

int
ww_histogram_drizzle(const ww_histogram_axis *x, const ww_histogram_axis *y,
                     const ww_histogram_pixels *pixels, size_t start,
                     size_t stop, const ww_histogram_sums *sums)
{
    size_t column = 0, row = 0, n_cell = x->n_cell * y->n_cell;
    share *columns, *rows;

    if (x->n_cell == 0 || y->n_cell == 0 || x->n_shift == 0 || y->n_shift == 0)
        return WW_ERR_SHAPE;
    if (start > stop || stop > pixels->n_pixel)
        return WW_ERR_RANGE;
    columns = calloc(x->n_shift + y->n_shift, sizeof *columns);
    if (columns == NULL)
        return WW_ERR_NOMEM;
    rows = columns + x->n_shift;
    for (size_t i = start; i < stop; i++) {
        size_t nx = find_shares(x, pixels->x[i], &column, columns);
        size_t ny = nx ? find_shares(y, pixels->y[i], &row, rows) : 0;

        for (size_t r = 0; r < ny; r++) {
            double next = part_of_row(rows, ny, r, rows[r].cell + 1);

            for (size_t c = 0; c < nx; c++)
                add_to_cell(pixels, i,
                            rows[r].cell * x->n_cell + columns[c].cell, n_cell,
                            rows[r].part * columns[c].part,
                            next * columns[c].part, sums);
        }
    }
    free(columns);
    return WW_OK;
}
