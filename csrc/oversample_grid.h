/* The grid that is `factor` times finer across the dispersion, and linear
 * interpolation of a column onto it.
 *
 * Row r of the fine grid has its centre at r / factor - (factor - 1) /
 * (2 factor) in rows of the image: an integer factor divides each row into as
 * many. Nothing is allocated; re-entrant.
 */
#ifndef WW_OVERSAMPLE_GRID_H
#define WW_OVERSAMPLE_GRID_H

#include <stddef.h>
#include <stdint.h>

/* Which rows of the fine grid belong to the rows of a region in a column. */
enum {
    WW_GRID_NEAREST =
        0,           /* those whose nearest row of the image is one of it */
    WW_GRID_JWST = 1 /* as many as fit, from the integer part of the first:
                            what jwst 3.0.0 does; neighbours may overlap */
};

typedef struct {
    size_t ny;     /* rows of the image */
    size_t fine;   /* rows of the fine grid, ny * factor rounded up */
    double factor; /* finite, above 0 */
    int rule;
    const double *position; /* [fine] ascending: centres of the rows of the
                               fine grid, in rows of the image */
    const int32_t *nearest; /* [fine] ascending, 0 .. ny - 1: the row of the
                               image nearest to each */
} ww_fine_grid;

/* Are all nearest rows within the image? */
int
ww_fine_is_valid(const ww_fine_grid *grid);

/* The rows [*fine_first, *fine_stop) that belong to the rows [first, stop). */
void
ww_fine_rows(const ww_fine_grid *grid, size_t first, size_t stop,
             size_t *fine_first, size_t *fine_stop);

/* The rows that hold those of every part of the rows [first, stop). */
void
ww_fine_reach(const ww_fine_grid *grid, size_t first, size_t stop,
              size_t *fine_first, size_t *fine_stop);

/* The most rows that this can be for n_row rows. */
size_t
ww_fine_room(const ww_fine_grid *grid, size_t n_row);

/* A column of n_row numbers, the first of them in row `row_start` of the
 * image. */
typedef struct {
    size_t row_start, n_row;
    const double *values;
} ww_column;

/* Interpolate between the finite values, constant beyond the first and the
 * last of them, at the rows [fine_first, fine_stop); out[0] is that of
 * fine_first. The first and last `edge` become NaN. With preserve_nan, so do
 * those whose nearest row of the image is outside the column or not finite. All
 * are NaN if no value is finite. list: room for n_row. */
void
ww_fine_interpolate(const ww_fine_grid *grid, const ww_column *column,
                    size_t fine_first, size_t fine_stop, size_t edge,
                    int preserve_nan, size_t *list, double *out);

/* Is the nearest pixel of the column finite? */
int
ww_fine_is_finite(const ww_fine_grid *grid, const ww_column *column,
                  size_t fine_row);

#endif
