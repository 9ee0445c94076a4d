/* The overlap of a quadrilateral with cells; internal to overlap.c.
 *
 * It is kept as steps: the area in cell c of a row of cells is the sum of
 * steps[0..c]. Coordinates are counted from the first cell of the steps. */
#ifndef WW_OUTLINE_H
#define WW_OUTLINE_H

#include <stddef.h>

#include "corners.h"

/* Add the overlap with the row of cells [row, row + 1], of which there are
 * count, to steps[count + 2]. The quadrilateral may lie anywhere; slope is
 * dx / dy of its edges. */
void
ww_outline_row(const ww_quad *q, const double slope[4], double row,
               size_t count, double *steps);

/* Add the overlap with all rows, for a quadrilateral that lies inside the
 * cells. The rows of steps lie stride apart, which is at least two more than
 * the number of cells; there is one more row than there are rows of cells. */
void
ww_outline_all(const ww_quad *q, size_t stride, double *steps);

#endif
