/* The samples of the columns around a column, in ascending order, kept in
 * order while the window slides. */
#ifndef WW_BSPLINE_WINDOW_H
#define WW_BSPLINE_WINDOW_H

#include <stddef.h>
#include <stdint.h>

#include "arena.h"

/* The pixels of a region, column by column; only those with finite alpha and
 * flux become samples. The profile is flux / divisor of the column. */
typedef struct {
    size_t n_column, n_row;
    const double *alpha;   /* [n_column][n_row] coordinate along the slit */
    const double *flux;    /* [n_column][n_row] */
    const double *error;   /* [n_column][n_row], or NULL */
    const double *divisor; /* [n_column], or NULL for 1 */
    int single;            /* all of these are float: so is their quotient */
} ww_trace_samples;

/* Samples ordered by x and, where x is the same, by pixel. */
typedef struct {
    size_t n;
    double *x, *y;
    int32_t *pixel; /* column * n_row + row */
} ww_sample_list;

typedef struct {
    const ww_trace_samples *samples;
    int need_error;     /* leave out pixels without a positive error */
    size_t start, stop; /* columns in the window */
    ww_sample_list list, spare, enter, leave;
    size_t *run; /* [columns in the window + 1] */
} ww_sample_window;

/* Set up an empty window, with memory from an arena, for at most n_column
 * columns at a time. */
void
ww_window_init(ww_sample_window *window, const ww_trace_samples *samples,
               int need_error, size_t n_column, ww_arena *arena);

/* Move to the columns [start, stop), neither before those of now. What
 * window->list holds then does not depend on where the window was. */
void
ww_window_move(ww_sample_window *window, size_t start, size_t stop);

#endif
