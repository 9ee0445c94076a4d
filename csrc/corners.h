/* The corners of input pixels on the output grid; internal to overlap.c. */
#ifndef WW_CORNERS_H
#define WW_CORNERS_H

#include <stddef.h>

#include "overlap.h"

/* A quadrilateral, corners in cyclic order: (-,-), (+,-), (+,+), (-,+) in
 * the input frame. Coordinates are in cells: cell k covers [k, k+1]. */
typedef struct {
    double x[4], y[4];
} ww_quad;

/* line[1..nx] = map of row j at the fraction h of the way to the row beside
 * it, in cells; line[0] and line[nx+1] continue it linearly. Where there is
 * no row beside, the one on the other side is mirrored through row j, which
 * makes the interpolation an extrapolation. */
void
ww_corners_line(const double *map, size_t ny, size_t nx, size_t j, int below,
                double h, double *line);

/* WW_EDGE_JACOBIAN: replace the corners that are not finite by what the
 * derivatives of the map at the pixel give. Returns 0 if that fails. */
int
ww_corners_repair(const ww_overlap_input *in, size_t j, size_t i, ww_quad *q);

#endif
