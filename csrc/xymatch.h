/* Matching of two catalogues of points of a plane.
 *
 * Time O(n log n) for catalogues in which few points lie within the tolerance
 * of each other, memory O(n). Points that are not finite match nothing. Where
 * positions are equal, the index in the catalogue decides, so that the result
 * does not depend on how the work is done. Re-entrant. The caller owns all
 * memory.
 */
#ifndef WW_XYMATCH_H
#define WW_XYMATCH_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

typedef struct {
    size_t n;            /* may be 0 */
    const double *x, *y; /* [n] */
    const uint8_t *keep; /* [n] points where it is 0 match nothing; or NULL */
} ww_catalogue;

/* Which point a reference point is matched with. */
enum {
    /* Pairs of points each of which is the nearest of the other; among equal
     * distances the lower index. */
    WW_MATCH_MUTUAL = 0,
    /* The image point nearest to the reference point, which may be nearest to
     * others as well; among equal distances the last by (y, x). Image points
     * at y <= reference y - tolerance are out. This is xyxymatch of
     * stsci.stimage. */
    WW_MATCH_NEAREST = 1
};

/* Match each reference point with an image point within a tolerance.
 *
 * partner: [ref->n] set to the index of the image point, or -1.
 * rule: one of the enumeration above.
 *
 * Returns WW_OK; WW_ERR_ARGUMENT if tolerance is not above 0 and finite or
 * the rule is unknown; WW_ERR_NOMEM. After an error partner is undefined.
 */
int
ww_match(const ww_catalogue *ref, const ww_catalogue *img, double tolerance,
         int rule, int64_t *partner);

/* What is kept of points that lie close together. */
enum {
    WW_COINCIDENT_NONE = 0, /* none of them */
    /* In the order of (y, x) a point is kept that has no kept one near it:
     * the lowest of each clump. This is xyxymatch of stsci.stimage. */
    WW_COINCIDENT_LOWEST = 1
};

/* Find the points that have no other within a separation.
 *
 * keep: [n] set to 1 or 0; 0 for points that are not finite.
 * separation: a distance equal to it is close; with 0 only points at the same
 * place are.
 *
 * Returns WW_OK; WW_ERR_ARGUMENT if separation is negative or not finite or
 * the rule is unknown; WW_ERR_NOMEM. After an error keep is undefined.
 */
int
ww_match_isolated(const double *x, const double *y, size_t n,
                  double separation, int rule, uint8_t *keep);

#endif
