/* Slices and slits on a grid that is finer across the dispersion.
 *
 * Images are name[ny][nx], or name[fine][nx] on the grid of oversample_grid.h,
 * with the dispersion along x. Re-entrant: calls may run side by side on the
 * same outputs as long as their ranges of columns do not overlap; no number
 * depends on the ranges. Scratch memory of a call is a few blocks of columns.
 */
#ifndef WW_OVERSAMPLE_H
#define WW_OVERSAMPLE_H

#include "oversample_grid.h"
#include "trace_image.h"

typedef struct {
    ww_region region;
    ww_fine_grid grid;   /* its ny is that of the region */
    ww_image image;      /* [ny][nx] */
    size_t require_good; /* a column needs more finite pixels than this */
    size_t edge;         /* NaN at both ends of a column */
    int preserve_nan;    /* NaN where the nearest pixel is not finite ... */
    const uint8_t *keep; /* [fine][nx] ... but not where this is not 0; or
                            NULL */
    int is_variance;     /* its root is interpolated, the result squared */
    double multiply;     /* what the result is multiplied with */
} ww_linear_input;

/* Interpolate the columns of a region linearly. The rows that belong to the
 * region in a column are written, NaN too; a column with too few pixels is
 * left alone.
 *
 * Returns WW_OK; WW_ERR_RANGE if the columns, or the rows of the region, are not those of
 * the image;
 * WW_ERR_SHAPE if the grids do not agree, or the
 * nearest rows are not in the image; WW_ERR_NOMEM. After an error the
 * output is untouched. */
int
ww_oversample_linear(const ww_linear_input *in, const ww_output_image *out,
                     size_t column_start, size_t column_stop);

typedef struct {
    ww_trace trace; /* errors are not used */
    ww_fine_grid grid;
    ww_image flux;       /* [ny][nx] */
    ww_image fine_alpha; /* [fine][nx] */
    ww_compact_ranges compact;
    size_t require_good;  /* a column needs more finite pixels than this */
    size_t edge;          /* samples at the ends of a column: NaN in what is
                            interpolated */
    int rounds_residual;  /* residuals are floats */
    int without_residual; /* is not added to the spline */
    int trim_ends;        /* the first and last `edge` samples of the trace
                             are NaN ... */
    int trims_column;     /* ... counted from the ends of the column, instead
                             of the bounds of the model */
} ww_oversample_input;

/* Any of them may be without pixels: it is not wanted. */
typedef struct {
    ww_output_image flux;     /* [fine][nx] the best of all */
    ww_output_image used;     /* the trace near a compact source */
    ww_output_image full;     /* the trace */
    ww_output_image linear;   /* flux, interpolated linearly */
    ww_output_image residual; /* flux - trace, interpolated linearly */
} ww_oversample_output;

/* Oversample the flux of a region: linear interpolation; near a compact source
 * the trace, plus the residual where there is one. As for linear
 * interpolation, NaN is written too. Residuals are interpolated over bad
 * pixels, fluxes are not.
 *
 * Returns as ww_oversample_linear. */
int
ww_oversample_flux(const ww_oversample_input *in,
                   const ww_oversample_output *out, size_t column_start,
                   size_t column_stop);

/* Count the steep pixels of a region in the columns that can be oversampled.
 * Returns as ww_oversample_linear. */
int
ww_oversample_count_steep(const ww_oversample_input *in,
                          const ww_steep_pixels *steep, size_t column_start,
                          size_t column_stop);

#endif
