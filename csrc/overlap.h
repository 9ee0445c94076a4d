/* The geometry of resampling: which cells of an output grid an input pixel
 * overlaps, and with which share. Internal: drizzle.h and resampling_matrix.h
 * are what it is for, and take their rules from here.
 *
 * The method is that of Fruchter & Hook (2002, PASP 114, 144): every input
 * pixel, shrunk by pixfrac, becomes a quadrilateral on the output grid. Its
 * share in a cell is a / J, where a is the exact area of the overlap of the
 * two and J the area of the quadrilateral. So the shares of a pixel that
 * falls wholly on the grid add up to 1, at any scale and pixfrac. Both areas
 * are signed, so a map that mirrors the image makes no difference.
 *
 * Conventions: arrays are name[ny][nx], C-contiguous; pixel centres are
 * integers, so that cell (j, i) covers [i-0.5, i+0.5] x [j-0.5, j+0.5].
 */
#ifndef WW_OVERLAP_H
#define WW_OVERLAP_H

#include <stddef.h>

#include "status.h"

enum {
    WW_KERNEL_SQUARE = 0, /* the shrunk pixel as a quadrilateral */
    WW_KERNEL_POINT = 1   /* all weight to the cell that holds the centre */
};

/* What becomes of a pixel (square kernel) with a neighbour that is not
 * finite in the pixel map.
 *
 * The corners lie at (j +- h, i +- h), h = pixfrac / 2, and come from
 * bilinear interpolation of the map between the pixel and its neighbours on
 * that side. On the border of the array, where there is no neighbour, the
 * nearest 2 x 2 pixels are extrapolated. A corner that is not finite is
 * treated by the rule below; the pixel itself must be finite in any case.
 * In an array of one row or one column there is no derivative across it, and
 * the square kernel leaves out all pixels under both rules. */
enum {
    WW_EDGE_JACOBIAN = 0, /* the corner follows from the differences to the
                             neighbours on its side, or, where one is not
                             finite, on the opposite side; the pixel is left
                             out if neither is */
    WW_EDGE_SKIP = 1      /* the pixel is left out */
};

typedef struct {
    size_t ny, nx;       /* shape of the input arrays */
    const double *map_x; /* [ny][nx] output column of each pixel centre; not
                            finite: nowhere */
    const double *map_y; /* [ny][nx] output row */
    const float *weight; /* [ny][nx]; a pixel of weight 0 or NaN does not take
                            part; others all count alike here */
    double pixfrac;      /* in (0, 1]: linear size of the shrunk pixel */
    int kernel;          /* WW_KERNEL_* */
    int edge;            /* WW_EDGE_* */
} ww_overlap_input;

/* Rows [in_start, in_stop) of the input onto rows [out_start, out_stop) of a
 * grid of this shape. */
typedef struct {
    size_t ny, nx;
    size_t in_start, in_stop;
    size_t out_start, out_stop;
} ww_overlap_range;

/* Some shares. The pixels come in the order of the input, the cells of a
 * pixel in that of the output; a list may end between them. */
typedef struct {
    size_t n_entry;
    size_t *pixel; /* [n_entry] index j * in.nx + i */
    size_t *cell;  /* [n_entry] index row * range.nx + column */
    double *share; /* [n_entry] a / J */
} ww_overlap_list;

/* Takes a list, of which it may make what it likes. */
typedef void
ww_overlap_sink(void *context, ww_overlap_list *list);

/* Pass the shares of all pixels to sink, list by list.
 *
 * A cell is hit when |a / J| > 1e-12: less is rounding noise of the area sum,
 * not an overlap. So a quadrilateral of more than 1e12 cells hits none. One
 * of zero area, or whose area is not finite, is left out. The point kernel
 * rounds halves away from zero. Coordinates may be of any size. No number
 * depends on the range. Re-entrant.
 *
 * Returns WW_OK; WW_ERR_SHAPE if a dimension of the input or the grid is 0;
 * WW_ERR_RANGE if a range does not lie inside its array; WW_ERR_ARGUMENT for
 * an unknown kernel or edge or a pixfrac outside (0, 1]; WW_ERR_NOMEM. After
 * an error sink has not been called.
 */
int
ww_overlap_visit(const ww_overlap_input *in, const ww_overlap_range *range,
                 ww_overlap_sink *sink, void *context);

#endif
