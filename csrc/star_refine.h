/* Positions of stars by a fit: a Gaussian of free width on a free level.
 *
 * The positions of star_measure.h lean towards the centre of a pixel or away
 * from it, by some hundredths of a pixel, because the width is given
 * (DAOFIND) or the pixels that are used depend on the peak (starfind). Least
 * squares with the width free have no such bias worth mentioning, whatever
 * the shape of the star within reason, and pixels that are missing are simply
 * not used. Few pixels are: neighbours stay outside.
 *
 * Conventions: arrays are name[ny][nx], C-contiguous; pixel centres are
 * integers. Re-entrant; the caller owns all memory.
 */
#ifndef WW_STAR_REFINE_H
#define WW_STAR_REFINE_H

#include <stddef.h>

#include "star_finder.h"
#include "status.h"

enum {
    WW_REFINED_X = 0,
    WW_REFINED_Y = 1,
    WW_REFINED_SIGMA = 2, /* of the Gaussian, in pixels */
    WW_REFINED_ERROR = 3, /* standard deviation of one coordinate for pixels
                             with a noise of 1; to be multiplied by it */
    WW_REFINED_COLUMNS = 4
};

/* Fit the stars [start, stop) of a list.
 *
 * place[][2] holds x and y to begin with; the fit uses the pixels within
 * half + 1/2 of the nearest pixel. sigma is the width to begin with.
 * out[][WW_REFINED_COLUMNS] is written from start to stop, NaN where there is
 * no answer: fewer than 8 pixels, no convergence, a centre more than a pixel
 * from where it began, a width beyond a factor 5 of sigma, or a place off the
 * image.
 *
 * Returns WW_OK; WW_ERR_SHAPE if ny or nx is 0; WW_ERR_RANGE if start > stop;
 * WW_ERR_ARGUMENT if half is 0 or sigma not positive; WW_ERR_NOMEM.
 */
int
ww_star_refine(const ww_star_image *image, size_t half, double sigma,
               const double *place, size_t start, size_t stop, double *out);

#endif
