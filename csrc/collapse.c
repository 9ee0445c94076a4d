#include "collapse.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "median.h"

/* Of the sums of NumPy. */
enum {
    N_LANE = 8,   /* sums side by side */
    N_BLOCK = 128 /* a longer column is halved */
};

/* A pixel is in fewer bins than this. */
enum { N_MEET = 4 };

/* A pixel as it is sorted. */
typedef struct {
    double flux, error;
} pixel;

/* The pixels sorted by bin: those of bin k are start[k] to start[k + 1] - 1 of
 * the list. */
typedef struct {
    size_t *start;  /* [n_bin + 2]: one more, to count with */
    uint32_t *bins; /* [n] of each pixel: N_MEET times its first one, and how
                       many they are */
    pixel *list;
} sorted_pixels;

static double
ratio(double flux, double error, int rounds)
{
    double snr = flux / error;

    return rounds ? (double)(float)snr : snr;
}

static int
is_valid(const ww_collapse_input *in, size_t i)
{
    return isfinite(in->flux[i]) && isfinite(in->error[i]) &&
           isfinite(in->alpha[i]) && in->error[i] > 0.0 &&
           isfinite(ratio(in->flux[i], in->error[i], in->rounds));
}

/* The bins that hold a coordinate, [*from, *to); they are near the one where
 * equal spacing would have it. */
static void
find_bins(const ww_collapse_input *in, double per_bin, double alpha,
          size_t *from, size_t *to)
{
    double at = (alpha - in->lower[0]) * per_bin;
    size_t k;

    *from = *to = 0;
    if (!(at > -2.0) || at > (double)in->n_bin + 2.0)
        return;
    k = at > 0.0 ? (size_t)at : 0;
    k = k < in->n_bin ? k : in->n_bin - 1;
    while (k > 0 && in->upper[k - 1] > alpha)
        k--;
    while (k < in->n_bin && in->upper[k] <= alpha)
        k++;
    *from = k;
    while (k < in->n_bin && k - *from < N_MEET - 1 && in->lower[k] <= alpha &&
           alpha < in->upper[k])
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

/* Find the bins of all pixels, and count those of each bin: start[k + 1]
 * becomes where bin k begins. Returns the number of valid pixels. */
static size_t
count_pixels(const ww_collapse_input *in, const sorted_pixels *sorted)
{
    double per_bin = bins_per_unit(in);
    size_t n_valid = 0, from, to;

    for (size_t i = 0; i < in->n; i++) {
        sorted->bins[i] = 0;
        if (!is_valid(in, i))
            continue;
        n_valid++;
        find_bins(in, per_bin, in->alpha[i], &from, &to);
        sorted->bins[i] = (uint32_t)(N_MEET * from + (to - from));
        for (size_t k = from; k < to; k++)
            sorted->start[k + 2]++;
    }
    for (size_t k = 0; k < in->n_bin; k++)
        sorted->start[k + 2] += sorted->start[k + 1];
    return n_valid;
}

/* Fill the list; start[k] is then where bin k begins. */
static void
sort_pixels(const ww_collapse_input *in, const sorted_pixels *sorted)
{
    for (size_t i = 0; i < in->n; i++) {
        size_t from = sorted->bins[i] / N_MEET;
        size_t to = from + sorted->bins[i] % N_MEET;

        for (size_t k = from; k < to; k++)
            sorted->list[sorted->start[k + 1]++] =
                (pixel){in->flux[i], in->error[i]};
    }
}

static size_t
largest_bin(const size_t *start, size_t n_bin)
{
    size_t largest = 0;

    for (size_t k = 0; k < n_bin; k++)
        if (start[k + 1] - start[k] > largest)
            largest = start[k + 1] - start[k];
    return largest;
}

/* The medians of the n pixels of a bin; values is [n]. */
static void
take_medians(const pixel *list, size_t n, int rounds, double *values,
             double *flux, double *error, double *snr)
{
    *flux = *error = *snr = NAN;
    if (n == 0)
        return;
    for (size_t i = 0; i < n; i++)
        values[i] = list[i].flux;
    *flux = ww_median(values, n, rounds);
    for (size_t i = 0; i < n; i++)
        values[i] = list[i].error;
    *error = ww_median(values, n, rounds);
    for (size_t i = 0; i < n; i++)
        values[i] = ratio(list[i].flux, list[i].error, rounds);
    *snr = ww_median(values, n, rounds);
}

int
ww_collapse_profile(const ww_collapse_input *in, double *flux_profile,
                    double *error_profile, double *snr_profile,
                    size_t *n_valid)
{
    sorted_pixels sorted = {0};
    double *values = NULL;
    size_t found = 0;
    int status = WW_ERR_NOMEM;

    if (in->n == 0 || in->n_bin == 0 || in->n_bin > UINT32_MAX / N_MEET - 1)
        return WW_ERR_SHAPE;
    sorted.start = calloc(in->n_bin + 2, sizeof *sorted.start);
    sorted.bins = malloc(in->n * sizeof *sorted.bins);
    if (sorted.start != NULL && sorted.bins != NULL) {
        found = count_pixels(in, &sorted);
        sorted.list =
            malloc((sorted.start[in->n_bin + 1] + 1) * sizeof *sorted.list);
    }
    if (sorted.list != NULL) {
        sort_pixels(in, &sorted);
        values = malloc((largest_bin(sorted.start, in->n_bin) + 1) *
                        sizeof *values);
    }
    if (values != NULL) {
        for (size_t k = 0; k < in->n_bin; k++)
            take_medians(sorted.list + sorted.start[k],
                         sorted.start[k + 1] - sorted.start[k], in->rounds,
                         values, flux_profile + k, error_profile + k,
                         snr_profile + k);
        *n_valid = found;
        status = WW_OK;
    }
    free(values);
    free(sorted.list);
    free(sorted.bins);
    free(sorted.start);
    return status;
}

static int
counts(double value, int positive_only)
{
    return !isnan(value) && (!positive_only || value > 0.0);
}

static double
sum_doubles(const double *value, size_t n, int positive_only)
{
    double sum = 0.0;

    for (size_t r = 0; r < n; r++)
        if (counts(value[r], positive_only))
            sum += value[r];
    return sum;
}

static float
sum_floats(const double *value, size_t n, int positive_only)
{
    float sum = 0.0f;

    for (size_t r = 0; r < n; r++)
        if (counts(value[r], positive_only))
            sum += (float)value[r];
    return sum;
}

/* A column of an image: n values from row first on, 0 elsewhere and for NaN. */
typedef struct {
    const double *value;
    size_t first, n;
} column_part;

/* The sum over the rows from begin to end, as NumPy has it for contiguous
 * floats: few in eight lanes and a rest, more as two halves. Rows of zeros
 * change nothing and are passed over. */
static float
sum_pairs(const column_part *part, size_t begin, size_t end)
{
    size_t n = end - begin, whole = n - n % N_LANE, half = n / 2, row, stop;
    float lane[N_LANE] = {0.0f}, sum;

    if (end <= part->first || begin >= part->first + part->n)
        return 0.0f;
    if (n > N_BLOCK) {
        half -= half % N_LANE;
        return sum_pairs(part, begin, begin + half) +
               sum_pairs(part, begin + half, end);
    }
    row = begin > part->first ? begin : part->first;
    stop = end < part->first + part->n ? end : part->first + part->n;
    for (; row < stop && row < begin + whole; row++) {
        double x = part->value[row - part->first];

        lane[(row - begin) % N_LANE] += isnan(x) ? 0.0f : (float)x;
    }
    sum = ((lane[0] + lane[1]) + (lane[2] + lane[3])) +
          ((lane[4] + lane[5]) + (lane[6] + lane[7]));
    for (; row < stop; row++) {
        double x = part->value[row - part->first];

        sum += isnan(x) ? 0.0f : (float)x;
    }
    return sum;
}

/* With a condition, NumPy sums each run of values that fulfil it by itself. */
static float
sum_positive_runs(const double *value, size_t n)
{
    float sum = 0.0f;

    for (size_t begin = 0, end; begin < n; begin = end + 1) {
        for (end = begin; end < n && value[end] > 0.0; end++)
            ;
        if (end > begin) {
            column_part run = {value + begin, 0, end - begin};

            sum += sum_pairs(&run, 0, run.n);
        }
    }
    return sum;
}

/* Whether all that is in a column lies in an image. */
static int
lies_in(const column_part *part, size_t height)
{
    if (part->first > height)
        return 0;
    for (size_t r = height - part->first; r < part->n; r++)
        if (!isnan(part->value[r]))
            return 0;
    return 1;
}

int
ww_collapse_sums(const double *flux, size_t n_column, size_t n_row,
                 const ww_float_sums *floats, int positive_only, double *sum)
{
    size_t height = floats ? floats->height : 0;

    for (size_t c = 0; c < n_column; c++) {
        const double *column = flux + c * n_row;
        column_part part = {column, 0, n_row};

        if (height) {
            part.first = (size_t)floats->first_row[c];
            if (!lies_in(&part, height))
                return WW_ERR_RANGE;
        }
        if (!floats)
            sum[c] = sum_doubles(column, n_row, positive_only);
        else if (!height)
            sum[c] = sum_floats(column, n_row, positive_only);
        else if (positive_only)
            sum[c] = sum_positive_runs(column, n_row);
        else
            sum[c] = sum_pairs(&part, 0, height);
    }
    return WW_OK;
}
