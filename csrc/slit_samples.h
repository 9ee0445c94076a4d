/* The lists that a fit to a difference of nods works on: its valid pixels, and
 * the exposures behind each of them; see ww_slit_samples. Re-entrant; one
 * scratch allocation per call. */
#ifndef WW_SLIT_SAMPLES_H
#define WW_SLIT_SAMPLES_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

/* What an exposure is in a difference. */
enum { WW_NOD_UNUSED, WW_NOD_ADDED, WW_NOD_SUBTRACTED };

/* A difference and its exposures: planes [n_row][n_column], those of exposures
 * one after the other. */
typedef struct {
    size_t n_exposure, n_row, n_column;
    const uint8_t *side;         /* [n_exposure] see above */
    const uint8_t *may_add;      /* [n_exposure][] 0: masked */
    const uint8_t *may_subtract; /* [n_exposure][] 0: masked */
    const double *spread;        /* [n_exposure][] not finite: not used */
    const double *distance;      /* [n_exposure][] from the trace */
    const double *base;          /* [n_exposure][n_column] row where the trace
                                    begins, of those that are added */
    const double *diff;          /* [] */
    const double *variance, *read_variance; /* [] of the difference */
} ww_slit_planes;

/* The lists. Pixels are sorted by column, then by row; samples by column, then
 * by exposure, then by row. There is room for all pixels of all exposures. */
typedef struct {
    int64_t *pixel_start;  /* [n_column + 1] the first of each column */
    int64_t *sample_start; /* [n_column + 1] */
    int64_t *place,
        *column; /* index of a pixel in a plane, and of its column */
    double *diff, *variance;
    double *weight; /* inverse of the read variance */
    double *inverse_error;
    int64_t *sample_place; /* index of a sample in the planes of exposures */
    int64_t *owner;        /* its pixel in these lists */
    double *y;             /* row less base; of what is subtracted, distance */
    double *spread;
    double *share; /* 1 / number of added exposures, or -1 / number of
                      subtracted ones */
} ww_slit_lists;

/* Fill the lists. A pixel is valid if the difference is finite, both variances
 * are positive, and exposures are added and, if any is subtracted anywhere,
 * subtracted.
 *
 * Returns WW_OK; WW_ERR_ARGUMENT if a side is none of the above;
 * WW_ERR_NOMEM. After an error the lists are untouched. */
int
ww_slit_list(const ww_slit_planes *in, const ww_slit_lists *to);

#endif
