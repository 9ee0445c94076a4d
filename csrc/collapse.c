#include "collapse.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "trace_region.h"

/* The pixels sorted by bin: those of bin k are start[k] to start[k + 1] - 1 of
 * the three lists. */
typedef struct {
    size_t *start; /* [n_bin + 2]: one more, to count with */
    double *flux, *error, *snr;
} sorted_pixels;

static double
ratio(const ww_collapse_input *in, size_t i)
{
    double snr = in->flux[i] / in->error[i];

    return in->rounds ? (double)(float)snr : snr;
}

static int
is_valid(const ww_collapse_input *in, size_t i)
{
    return isfinite(in->flux[i]) && isfinite(in->error[i]) &&
           isfinite(in->alpha[i]) && in->error[i] > 0.0 &&
           isfinite(ratio(in, i));
}

/* The bins that hold a coordinate, [*from, *to); they are near the one where
 * equal spacing would have it. */
static void
find_bins(const ww_collapse_input *in, double per_bin, double alpha,
          size_t *from, size_t *to)
{
    double at = (alpha - in->lower[0]) * per_bin;
    size_t guess, k;

    *from = *to = 0;
    if (!(at > -2.0) || at > (double)in->n_bin + 2.0)
        return;
    guess = at < 2.0 ? 0 : (size_t)at - 2;
    for (k = guess; k < in->n_bin && in->upper[k] <= alpha; k++)
        ;
    *from = k;
    while (k < in->n_bin && in->lower[k] <= alpha && alpha < in->upper[k])
        k++;
    *to = k;
}

static double
bins_per_unit(const ww_collapse_input *in)
{
    double width = in->upper[0] - in->lower[0];

    if (in->n_bin > 1)
        width = (in->lower[in->n_bin - 1] - in->lower[0]) /
                (double)(in->n_bin - 1);
    return width > 0.0 ? 1.0 / width : 0.0;
}

/* Count the pixels of each bin: start[k + 1] becomes where bin k begins.
 * Returns the number of valid pixels. */
static size_t
count_pixels(const ww_collapse_input *in, size_t *start)
{
    double per_bin = bins_per_unit(in);
    size_t n_valid = 0, from, to;

    for (size_t i = 0; i < in->n; i++) {
        if (!is_valid(in, i))
            continue;
        n_valid++;
        find_bins(in, per_bin, in->alpha[i], &from, &to);
        for (size_t k = from; k < to; k++)
            start[k + 2]++;
    }
    for (size_t k = 0; k < in->n_bin; k++)
        start[k + 2] += start[k + 1];
    return n_valid;
}

/* Fill the lists; start[k] is then where bin k begins. */
static void
sort_pixels(const ww_collapse_input *in, const sorted_pixels *sorted)
{
    double per_bin = bins_per_unit(in);
    size_t from, to;

    for (size_t i = 0; i < in->n; i++) {
        if (!is_valid(in, i))
            continue;
        find_bins(in, per_bin, in->alpha[i], &from, &to);
        for (size_t k = from; k < to; k++) {
            size_t place = sorted->start[k + 1]++;

            sorted->flux[place] = in->flux[i];
            sorted->error[place] = in->error[i];
            sorted->snr[place] = ratio(in, i);
        }
    }
}

static void
take_medians(double *values, const size_t *start, size_t n_bin, int rounds,
             double *medians)
{
    for (size_t k = 0; k < n_bin; k++) {
        size_t n = start[k + 1] - start[k];

        medians[k] = n ? ww_median(values + start[k], n, rounds) : NAN;
    }
}

int
ww_collapse_profile(const ww_collapse_input *in, double *flux_profile,
                    double *error_profile, double *snr_profile,
                    size_t *n_valid)
{
    sorted_pixels sorted = {0};
    double *lists = NULL;
    size_t found, n;
    int status = WW_ERR_NOMEM;

    if (in->n == 0 || in->n_bin == 0)
        return WW_ERR_SHAPE;
    sorted.start = calloc(in->n_bin + 2, sizeof *sorted.start);
    if (sorted.start != NULL) {
        found = count_pixels(in, sorted.start);
        n = sorted.start[in->n_bin + 1];
        lists = calloc(3 * n + 1, sizeof *lists);
    }
    if (lists != NULL) {
        sorted.flux = lists;
        sorted.error = lists + n;
        sorted.snr = lists + 2 * n;
        sort_pixels(in, &sorted);
        take_medians(sorted.flux, sorted.start, in->n_bin, in->rounds,
                     flux_profile);
        take_medians(sorted.error, sorted.start, in->n_bin, in->rounds,
                     error_profile);
        take_medians(sorted.snr, sorted.start, in->n_bin, in->rounds,
                     snr_profile);
        *n_valid = found;
        status = WW_OK;
    }
    free(lists);
    free(sorted.start);
    return status;
}

void
ww_collapse_sums(const double *flux, size_t n_column, size_t n_row, int rounds,
                 int positive_only, double *sum)
{
    for (size_t c = 0; c < n_column; c++) {
        const double *column = flux + c * n_row;
        double total = 0.0;
        float rounded = 0.0f;

        for (size_t r = 0; r < n_row; r++) {
            if (isnan(column[r]) || (positive_only && !(column[r] > 0.0)))
                continue;
            total += column[r];
            rounded += (float)column[r];
        }
        sum[c] = rounds ? (double)rounded : total;
    }
}
