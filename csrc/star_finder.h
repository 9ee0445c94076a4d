/* Point sources in an image: correlation with a zero-sum Gaussian, and its
 * local peaks (Stetson 1987, PASP 99, 191). star_measure.h measures them.
 *
 * The kernel has side 2 half + 1. With its Gaussian g, the n pixels where
 * inside is set, and S the sum over them,
 *
 *     kernel = (g - S g / n) / V,    V = S g^2 - (S g)^2 / n,
 *
 * which makes the correlation at a pixel the amplitude A of the least-squares
 * fit of A g + constant to the image around it. Its noise is that of a pixel
 * over the square root of V.
 *
 * Where pixels are missing - masked, not finite, or off the image - and the
 * rule is WW_MISSING_FIT, the fit is made to the others, with V that of these
 * pixels, and the correlation is A sqrt(V / V of the whole kernel): its noise
 * is the same everywhere, and one missing pixel neither hides a star nor
 * makes one. Where less than half of V is left, nothing can be said; the
 * correlation is then infinite, so no pixel that has this one among its
 * neighbours is a peak: at the rim of a saturated core there is no star. With
 * WW_MISSING_POISON, the masked are used as they are, pixels off the image
 * are 0, and what is not finite spoils all that the kernel touches.
 *
 * Conventions: arrays are name[ny][nx], C-contiguous; pixel centres are
 * integers. Re-entrant; the caller owns all memory.
 */
#ifndef WW_STAR_FINDER_H
#define WW_STAR_FINDER_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

enum {
    WW_MISSING_FIT = 0,
    WW_MISSING_POISON = 1,
};

/* What becomes of neighbours that are peaks of the same height. */
enum {
    WW_TIES_FIRST = 0, /* the first of them in the order of rows is one */
    WW_TIES_ALL = 1,   /* all of them are */
};

typedef struct {
    size_t ny, nx;
    const float *value;  /* [ny][nx], without background */
    const uint8_t *mask; /* [ny][nx] non-zero: missing, or NULL */
} ww_star_image;

typedef struct {
    size_t half;
    double sigma;          /* of the Gaussian, in pixels */
    const double *gauss;   /* [side][side] exp(-r^2 / (2 sigma^2)) */
    const double *kernel;  /* [side][side] the zero-sum kernel, 0 outside */
    const uint8_t *inside; /* [side][side] pixels that the kernel uses */
} ww_star_kernel;

/* Correlate the rows [row_start, row_stop) of an image with the kernel.
 *
 * out[ny][nx] is computed in double and rounded to float. No number depends
 * on the range.
 *
 * Returns WW_OK; WW_ERR_SHAPE if ny or nx is 0; WW_ERR_RANGE if
 * row_start > row_stop or row_stop > ny; WW_ERR_ARGUMENT for an unknown rule;
 * WW_ERR_NOMEM. After an error out is untouched.
 */
int
ww_star_correlate(const ww_star_image *image, const ww_star_kernel *kernel,
                  int missing, size_t row_start, size_t row_stop, float *out);

/* Find the peaks of a correlation in the rows [row_start, row_stop).
 *
 * A peak is finite, above threshold, not masked, and no pixel within radius
 * of it is higher; beyond the image all is 0. Pixels of equal height within
 * radius are treated as ties says. Neighbours that are NaN do not count.
 *
 * pixel[capacity] receives the indices y * nx + x in increasing order; found
 * is how many there are, also if that is more than capacity, when the rest is
 * not written.
 *
 * Returns WW_OK; WW_ERR_SHAPE if ny or nx is 0; WW_ERR_RANGE if
 * row_start > row_stop or row_stop > ny; WW_ERR_ARGUMENT for unknown ties.
 */
int
ww_star_peaks(const float *correlation, const uint8_t *mask, size_t ny,
              size_t nx, double threshold, size_t radius, int ties,
              size_t row_start, size_t row_stop, uint64_t *pixel,
              size_t capacity, size_t *found);

#endif
