#include "oversample_grid.h"

#include <math.h>

double
ww_fine_position(const ww_fine_grid *grid, size_t fine_row)
{
    return (double)fine_row / grid->factor -
           (grid->factor - 1.0) / (2.0 * grid->factor);
}

size_t
ww_fine_nearest(const ww_fine_grid *grid, size_t fine_row)
{
    double row = rint(ww_fine_position(grid, fine_row));

    if (!(row > 0.0))
        return 0;
    return row < (double)grid->ny ? (size_t)row : grid->ny - 1;
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
        while (start < grid->fine && ww_fine_nearest(grid, start) < first)
            start++;
        end = start;
        while (end < grid->fine && ww_fine_nearest(grid, end) < stop)
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
    size_t row = ww_fine_nearest(grid, fine_row);

    return row >= column->row_start &&
           row < column->row_start + column->n_row &&
           isfinite(column->values[row - column->row_start]);
}

void
ww_fine_interpolate(const ww_fine_grid *grid, const ww_column *column,
                    size_t fine_first, size_t fine_stop, size_t edge,
                    int preserve_nan, size_t *list, double *out)
{
    size_t n = 0, left = 0, count = fine_stop - fine_first;

    for (size_t r = 0; r < column->n_row; r++)
        if (isfinite(column->values[r]))
            list[n++] = r;
    for (size_t i = 0; i < count; i++) {
        double row =
            ww_fine_position(grid, fine_first + i) - (double)column->row_start;
        const double *v = column->values;

        out[i] = NAN;
        if (n == 0 || i < edge || i + edge >= count ||
            (preserve_nan && !ww_fine_is_finite(grid, column, fine_first + i)))
            continue;
        while (left + 1 < n && (double)list[left + 1] <= row)
            left++;
        if (row <= (double)list[left] || left + 1 == n) {
            out[i] = v[list[left]];
        } else {
            double step = (double)(list[left + 1] - list[left]);
            double slope = (v[list[left + 1]] - v[list[left]]) / step;

            out[i] = slope * (row - (double)list[left]) + v[list[left]];
        }
    }
}
