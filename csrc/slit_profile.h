/* The light of a source across the dispersion, as pixels hold it, and how well
 * it tells differences of nods: the objective of the fit of a trace, with the
 * amplitude of each column solved for (variable projection).
 *
 * Arrays are double, contiguous. Re-entrant; one scratch allocation per call.
 */
#ifndef WW_SLIT_PROFILE_H
#define WW_SLIT_PROFILE_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

/* A tabulated profile: the part of the light in a pixel whose centre is y
 * pixels off, for planes of widths and wavelengths. Linear in between, 0
 * outside in y; widths outside are those at the end. */
typedef struct {
    size_t n_width, n_wave, n_y; /* at least 2 */
    const double *values;        /* [n_width][n_wave][n_y] */
    const double *width;         /* [n_width] ascending, pixels */
    double y_first, y_step;      /* pixels; the step is positive */
} ww_profile_table;

/* The error function in steps of 1 / WW_ERF_PER_UNIT, by its Taylor series of
 * fifth order about the nearest one: off by less than
 * max|erf^(6)| / 6! / (2 WW_ERF_PER_UNIT)^6 = 3e-14. Beyond WW_ERF_END it is 1
 * to the last digit. */
enum { WW_ERF_PER_UNIT = 64, WW_ERF_END = 6, WW_ERF_TERMS = 6 };
enum { WW_ERF_NODES = WW_ERF_PER_UNIT * WW_ERF_END + 1 };
enum { WW_ERF_SIZE = WW_ERF_NODES * WW_ERF_TERMS };

/* Fill such a table, [WW_ERF_NODES][WW_ERF_TERMS]. */
void
ww_erf_table(double *nodes);

/* Which profile. A Gaussian of variance psf + width^2 has its integral over the
 * pixel taken; wings are further Gaussians: amplitude (relative to the first),
 * scale of the standard deviation, shift: they stand at y + shift. */
typedef struct {
    const ww_profile_table *table; /* NULL: Gaussians */
    size_t n_wing;                 /* 0 with a table */
    const double *wings;           /* [n_wing][3] */
    const double *erf;             /* [WW_ERF_SIZE] of ww_erf_table */
} ww_profile_shape;

/* The profile at n places.
 *
 * y:       [n] pixels from the trace.
 * spread:  [n] variance of the PSF, pixels^2, positive; or, for a table, the
 *          wavelength as a fractional index of its planes: 0 outside of them.
 * profile: [n]; by_y, by_width: [n] its derivatives, or NULL.
 *
 * NaN gives NaN. Returns WW_OK; WW_ERR_ARGUMENT if the shape makes no sense;
 * WW_ERR_NOMEM. After an error the outputs are untouched. */
int
ww_slit_profile(const ww_profile_shape *shape, double width, size_t n,
                const double *y, const double *spread, double *profile,
                double *by_y, double *by_width);

/* The valid pixels of a difference of nods, column after column, and the
 * exposures that went into each. Everything is finite. */
typedef struct {
    size_t n_column, n_pixel, n_sample;
    const int64_t *column_start; /* [n_column + 1] first pixel of each column */
    const int64_t *sample_start; /* [n_column + 1] first sample of each */
    const double *x;             /* [n_column] of the polynomial of the trace */
    const double *diff;          /* [n_pixel] */
    const double *inverse_error; /* [n_pixel] of the difference */
    const double *weight;        /* [n_pixel] for the amplitude, positive */
    const int64_t *pixel; /* [n_sample] of the same column; neighbours should
                             be of one exposure: that is what is fast */
    const double *y;      /* [n_sample] pixels from where the trace begins */
    const double *spread; /* [n_sample] see above */
    const double *share;  /* [n_sample] what the exposure adds to the profile
                             of the pixel; positive ones move with the trace */
    int positive;         /* a profile below 0 becomes 0 */
    double huber;         /* where the penalty goes from square to linear */
} ww_slit_samples;

/* Whether the indices fit together: WW_OK; WW_ERR_RANGE if the starts do not
 * rise from 0 to the numbers of pixels and samples, or a sample is of a pixel
 * of another column. What follows relies on it. */
int
ww_slit_samples_check(const ww_slit_samples *samples);

/* Half the sum of squares of (diff - amplitude profile) inverse_error, linear
 * beyond huber, the amplitude of a column being
 *   sum(diff profile weight) / sum(profile^2 weight).
 * Columns without profile are left out.
 *
 * trace:    [n_trace] polynomial, highest power first; y - polynomial(x) is the
 *           distance of a sample from the trace.
 * value:    one number.
 * gradient: [1 + n_trace + 3 n_wing] by the width, the trace and the wings,
 *           amplitudes following; or NULL.
 * bend:     [the same] second derivatives, those of the profile left out: what
 *           Gauss and Newton take for them; or NULL, as without a gradient.
 *
 * Returns as above. */
int
ww_slit_objective(const ww_slit_samples *samples,
                  const ww_profile_shape *shape, double width, size_t n_trace,
                  const double *trace, double *value, double *gradient,
                  double *bend);

/* The profile of each pixel, and its derivatives.
 *
 * profile: [n_pixel]; slopes: [n_pixel][1 + n_trace + 3 n_wing], or NULL.
 * Returns as above. */
int
ww_slit_slopes(const ww_slit_samples *samples, const ww_profile_shape *shape,
               double width, size_t n_trace, const double *trace,
               double *profile, double *slopes);

#endif
