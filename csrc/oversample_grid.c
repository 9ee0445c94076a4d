#include "oversample_grid.h"

#include <math.h>

int
ww_fine_is_valid(const ww_fine_grid *grid)
{
    for (size_t i = 0; i < grid->fine; i++)
        if (grid->nearest[i] < 0 || (size_t)grid->nearest[i] >= grid->ny)
            return 0;
    return 1;
}

void
ww_fine_rows(const ww_fine_grid *grid, size_t first, size_t stop,
             size_t *fine_first, size_t *fine_stop)
{
    double from = (double)first * grid->factor;
    double count = ceil((double)stop * grid->factor - from);
    size_t start = (size_t)from, end;

    if (grid->rule == WW_GRID_JWST) {
        end = start + (size_t)count;
    } else {
        start = start > 0 ? start - 1 : 0;
        while (start < grid->fine && (size_t)grid->nearest[start] < first)
            start++;
        end = start;
        while (end < grid->fine && (size_t)grid->nearest[end] < stop)
            end++;
    }
    *fine_first = start < grid->fine ? start : grid->fine;
    *fine_stop = end < grid->fine ? end : grid->fine;
}

void
ww_fine_reach(const ww_fine_grid *grid, size_t first, size_t stop,
              size_t *fine_first, size_t *fine_stop)
{
    ww_fine_rows(grid, first, stop, fine_first, fine_stop);
    /* Where a part begins at a smaller fraction, its end is rounded up. */
    if (grid->rule == WW_GRID_JWST && *fine_stop < grid->fine)
        (*fine_stop)++;
}

size_t
ww_fine_room(const ww_fine_grid *grid, size_t n_row)
{
    /* Both ends may be rounded up, and the last row of all reaches to the end
     * of the grid. */
    return (size_t)((double)n_row * grid->factor) + 4;
}

int
ww_fine_is_finite(const ww_fine_grid *grid, const ww_column *column,
                  size_t fine_row)
{
    size_t row = (size_t)grid->nearest[fine_row];

    return row >= column->row_start &&
           row < column->row_start + column->n_row &&
           isfinite(column->values[row - column->row_start]);
}

/* Interpolate between the n > 0 rows of a list. */
static void
interpolate(const double *position, size_t count, const ww_column *column,
            const size_t *list, size_t n, double *out)
{
    const double *v = column->values;
    double start = (double)column->row_start;
    size_t i = 0;

    while (i < count && position[i] - start < (double)list[0])
        out[i++] = v[list[0]];
    for (size_t k = 0; k + 1 < n; k++) {
        double left = (double)list[k], right = (double)list[k + 1];
        double level = v[list[k]];
        double slope = (v[list[k + 1]] - level) / (right - left);

        while (i < count && position[i] - start < right) {
            out[i] = slope * (position[i] - start - left) + level;
            i++;
        }
    }
    while (i < count)
        out[i++] = v[list[n - 1]];
}

void
ww_fine_interpolate(const ww_fine_grid *grid, const ww_column *column,
                    size_t fine_first, size_t fine_stop, size_t edge,
                    int preserve_nan, size_t *list, double *out)
{
    size_t n = 0, count = fine_stop - fine_first;

    for (size_t r = 0; r < column->n_row; r++) {
        list[n] = r;
        n += isfinite(column->values[r]) ? 1 : 0;
    }
    if (n > 0)
        interpolate(grid->position + fine_first, count, column, list, n, out);
    if (n == 0 || 2 * edge >= count)
        edge = count;
    for (size_t i = 0; i < edge; i++)
        out[i] = out[count - 1 - i] = NAN;
    if (preserve_nan)
        for (size_t i = 0; i < count; i++)
            if (!ww_fine_is_finite(grid, column, fine_first + i))
                out[i] = NAN;
}
