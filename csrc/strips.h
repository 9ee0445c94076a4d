/* Points of a plane in strips, so that neighbours are found without a list of
 * pairs: the cell list of offset_histogram.c and xymatch.c.
 *
 * The plane is cut into strips of equal height along y; within a strip the
 * points are sorted by x. The points of another catalogue within dx and dy of
 * a point are then a run in each of a few strips, and as one walks along a
 * strip the runs move in one direction only. Time O(n log n), memory O(n).
 */
#ifndef WW_STRIPS_H
#define WW_STRIPS_H

#include <stddef.h>

#include "status.h"

typedef struct {
    double x, y;
    size_t index; /* where the point is in the catalogue */
} ww_strip_point;

typedef struct {
    double y0, height;     /* strip s reaches from y0 + s * height */
    size_t n_strip;        /* at least 1 */
    size_t n_point;        /* the points that are finite */
    size_t *start;         /* [n_strip + 1] strip s has the points start[s] to
                              start[s + 1] - 1 */
    ww_strip_point *point; /* [n_point] */
} ww_strips;

/* Put points into strips.
 *
 * x, y: [n] positions; those that are not finite are left out. height: wanted
 * height of a strip, above 0; strips are made higher where there would be more
 * of them than points. n may be 0.
 *
 * Returns WW_OK; WW_ERR_ARGUMENT if height is not above 0; WW_ERR_NOMEM. After
 * an error nothing has to be freed, and ww_strips_free does no harm.
 */
int
ww_strips_make(ww_strips *strips, const double *x, const double *y, size_t n,
               double height);

/* Give back the memory. */
void
ww_strips_free(ww_strips *strips);

/* The strip that y is in; 0 below the first, the last above the last. */
size_t
ww_strips_find(const ww_strips *strips, double y);

/* The strips of others, first to last, that may hold points within wide of
 * strip s of strips along y; one more on either side, for the rounding of the
 * edges. Returns 0 if strip s is empty. */
int
ww_strips_beside(const ww_strips *strips, size_t s, const ww_strips *others,
                 double wide, size_t *first, size_t *last);

/* The first point from begin to end - 1, all of one strip, whose x is not
 * below a value; end if there is none. */
size_t
ww_strips_from(const ww_strips *strips, size_t begin, size_t end, double x);

#endif
