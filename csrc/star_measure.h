/* Positions, fluxes and shapes of point sources, as DAOFIND (Stetson 1987,
 * PASP 99, 191) and IRAF's starfind define them.
 *
 * A source is measured on the side x side pixels around its peak pixel, side
 * being that of the kernel of star_finder.h, where also the rules for missing
 * pixels are. With WW_MISSING_FIT, pixels that are missing are filled with
 * the Gaussian that fits the others, which is moved to the measured position
 * until both agree; without missing pixels the rules do not differ, except as
 * noted.
 *
 * DAOFIND: the position is the peak pixel plus the shift of the Gaussian that
 * fits the marginal sums best, by one step from the pixel's centre. A shift
 * beyond the cutout is replaced by the first moment of the marginal sum, away
 * from the flux in x with WW_MISSING_POISON.
 *
 * starfind: the sky is the mean of the pixels outside the kernel; what is
 * above it inside the kernel gives the first and second moments.
 */
#ifndef WW_STAR_MEASURE_H
#define WW_STAR_MEASURE_H

#include <stddef.h>
#include <stdint.h>

#include "star_finder.h"
#include "status.h"

enum {
    WW_STAR_DAOFIND = 0,
    WW_STAR_STARFIND = 1,
};

/* The columns of a measurement. */
enum {
    WW_STAR_X = 0,
    WW_STAR_Y = 1,
    WW_STAR_FLUX = 2, /* DAOFIND: the sum of the cutout; starfind: of what is
                         above the sky inside the kernel */
    WW_STAR_PEAK = 3, /* the peak pixel; starfind: the highest above the sky */
    WW_STAR_SHARPNESS = 4,  /* DAOFIND: the peak pixel minus the mean of the
                              others inside the kernel, over the correlation;
                              starfind: FWHM over that of the kernel */
    WW_STAR_ROUNDNESS = 5,  /* DAOFIND: from the symmetry of the correlation;
                              starfind: ellipticity, 0 when round */
    WW_STAR_ROUNDNESS2 = 6, /* DAOFIND: from the heights of the two marginal
                               fits; starfind: the same as the other one */
    WW_STAR_COLUMNS = 7
};

/* Measure the sources [start, stop) of a list of peak pixels.
 *
 * correlation[ny][nx] is that of star_finder.h; pixel[] holds y * nx + x;
 * out[][WW_STAR_COLUMNS] is written from start to stop. All columns are NaN
 * where there is nothing to measure: no positive amplitude, less than two
 * pixels above the sky, or, with WW_MISSING_FIT, a centre on a missing pixel.
 *
 * Returns WW_OK; WW_ERR_SHAPE if ny or nx is 0; WW_ERR_RANGE if start > stop
 * or a pixel is not in the image; WW_ERR_ARGUMENT for an unknown method or
 * rule; WW_ERR_NOMEM.
 */
int
ww_star_measure(const ww_star_image *image, const ww_star_kernel *kernel,
                const float *correlation, int method, int missing,
                const uint64_t *pixel, size_t start, size_t stop, double *out);

#endif
