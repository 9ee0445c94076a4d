#include "clipped_mean.h"

#include <math.h>

#include "sorting.h"

enum {
    N_ROUND = 5,      /* rounds of clipping, astropy's maxiters */
    N_LANE = 4,       /* independent sums, so that they can be vectorised */
    N_INSERTION = 24, /* below, insertion is the fastest way of sorting */
    N_SMALL = 128,    /* below, a guess of the median does not pay */
    N_SPARE = 48      /* values that a guess spans beyond those needed: the
                          medians of neighbouring windows are a few ranks
                          apart */
};

/* Standard deviations from the median that are kept, astropy's default. */
static const double N_SIGMA = 3.0;

/* A wrong guess is stretched by this factor until it holds. */
static const double STRETCH = 4.0;

/* The part of the values near the median, in order. */
typedef struct {
    const double *value;
    size_t n;
    double *near;
    size_t n_near, n_below; /* values in near; values below all of these */
    double low, high;       /* those in near lie between */
    int is_sorted;          /* near is in order */
    size_t least, most;     /* ranks that were asked for */
} ranking;

static void
sort_values(double *v, size_t n)
{
    while (n > N_INSERTION) {
        double pivot = ww_middle_of_three(v[0], v[n / 2], v[n - 1]);
        size_t i = 0, j = n - 1;

        for (;; i++, j--) {
            double swap;

            while (v[i] < pivot)
                i++;
            while (v[j] > pivot)
                j--;
            if (i >= j)
                break;
            swap = v[i];
            v[i] = v[j];
            v[j] = swap;
        }
        /* The smaller part by recursion: its depth is below log2 n. */
        if (i < n - i) {
            sort_values(v, i);
            v += i;
            n -= i;
        } else {
            sort_values(v + i, n - i);
            n = i;
        }
    }
    ww_sort_few(v, n);
}

static void
collect(ranking *r, double low, double high)
{
    size_t n_near = 0, n_below = 0;

    for (size_t i = 0; i < r->n; i++) {
        double x = r->value[i];

        r->near[n_near] = x;
        n_near += (size_t)((x >= low) & (x <= high));
        n_below += (size_t)(x < low);
    }
    r->n_near = n_near;
    r->n_below = n_below;
    r->low = low;
    r->high = high;
}

/* The value at a rank from 0. */
static double
at_rank(ranking *r, size_t rank)
{
    while (rank < r->n_below || rank - r->n_below >= r->n_near) {
        double width = STRETCH * (r->high - r->low);

        if (!(width > 0.0 && r->n_near < r->n / 2))
            collect(r, -INFINITY, INFINITY);
        else if (rank < r->n_below)
            collect(r, r->low - width, r->high);
        else
            collect(r, r->low, r->high + width);
        r->is_sorted = 0;
    }
    if (!r->is_sorted)
        sort_values(r->near, r->n_near);
    r->is_sorted = 1;
    r->least = rank < r->least ? rank : r->least;
    r->most = rank > r->most ? rank : r->most;
    return r->near[rank - r->n_below];
}

/* Where the ranks that were asked for will be next time, if the median moves on
 * as it did. */
static ww_median_guess
guess_from(const ranking *r, double median, const ww_median_guess *before)
{
    double step = before->high > before->low ? median - before->median : 0.0;
    size_t least = r->least - r->n_below, most = r->most - r->n_below;
    size_t last = r->n_near - 1;

    return (ww_median_guess){
        .low = r->near[least > N_SPARE ? least - N_SPARE : 0] + step,
        .high = r->near[last - most > N_SPARE ? most + N_SPARE : last] + step,
        .median = median};
}

/* The median of n values that begin at a rank. */
static double
median_from(ranking *r, size_t rank, size_t n)
{
    double upper = at_rank(r, rank + n / 2);

    return n % 2 ? upper : 0.5 * (at_rank(r, rank + n / 2 - 1) + upper);
}

/* Sums over the values from low to high, in independent lanes. */
typedef struct {
    double count[N_LANE], first[N_LANE], second[N_LANE];
} lane_sums;

static inline void
add_lanes(lane_sums *sums, const double *value, size_t width, double low,
          double high, double centre)
{
    for (size_t l = 0; l < width; l++) {
        double x = value[l], d = x - centre;
        double kept = (x >= low) & (x <= high) ? d : 0.0;

        sums->count[l] += (x >= low) & (x <= high) ? 1.0 : 0.0;
        sums->first[l] += kept;
        sums->second[l] += kept * kept;
    }
}

static double
total(const double lane[N_LANE])
{
    return (lane[0] + lane[1]) + (lane[2] + lane[3]);
}

/* The number, mean and deviation of the values from low to high. Sums are
 * about a centre, against cancellation. */
static ww_clipped_mean
sum_between(const double *value, size_t n_value, double low, double high,
            double centre)
{
    lane_sums sums = {{0}, {0}, {0}};
    size_t whole = n_value / N_LANE * N_LANE;
    double n, mean, square;

    for (size_t i = 0; i < whole; i += N_LANE)
        add_lanes(&sums, value + i, N_LANE, low, high, centre);
    add_lanes(&sums, value + whole, n_value - whole, low, high, centre);
    n = total(sums.count);
    mean = total(sums.first) / n;
    square = total(sums.second) / n;
    return (ww_clipped_mean){.mean = centre + mean,
                             .deviation =
                                 sqrt(fmax(square - mean * mean, 0.0)),
                             .n = (size_t)n};
}

static size_t
count_below(const double *value, size_t n, double low)
{
    double count[N_LANE] = {0};
    size_t whole = n / N_LANE * N_LANE;

    for (size_t i = 0; i < whole; i += N_LANE)
        for (size_t l = 0; l < N_LANE; l++)
            count[l] += value[i + l] < low ? 1.0 : 0.0;
    for (size_t i = whole; i < n; i++)
        count[0] += value[i] < low ? 1.0 : 0.0;
    return (size_t)total(count);
}

ww_clipped_mean
ww_clip_mean(const double *value, size_t n, double *scratch,
             ww_median_guess *guess)
{
    ranking r = {.value = value, .n = n, .near = scratch, .least = n};
    double low = -INFINITY, high = INFINITY, centre, median;
    ww_clipped_mean kept;

    if (!n)
        return (ww_clipped_mean){.mean = NAN, .deviation = NAN};
    if (guess && n >= N_SMALL && guess->high > guess->low)
        collect(&r, guess->low, guess->high);
    centre = median = median_from(&r, 0, n);
    kept = sum_between(value, n, low, high, centre);
    for (int round = 0; round < N_ROUND; round++) {
        size_t before = kept.n;

        low = fmax(low, median - N_SIGMA * kept.deviation);
        high = fmin(high, median + N_SIGMA * kept.deviation);
        kept = sum_between(value, n, low, high, centre);
        if (kept.n == before || !kept.n)
            break;
        median = median_from(&r, count_below(value, n, low), kept.n);
    }
    if (guess)
        *guess = guess_from(&r, centre, guess);
    return kept;
}
