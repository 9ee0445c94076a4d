#include "clipped_mean.h"

#include <math.h>

enum {
    N_ROUND = 5,      /* rounds of clipping, astropy's maxiters */
    N_LANE = 4,       /* independent sums, so that they can be vectorised */
    N_INSERTION = 24, /* below, insertion is the fastest way of sorting */
    N_SMALL = 64      /* below, a guess of the median does not pay */
};

/* Standard deviations from the median that are kept, astropy's default. */
static const double N_SIGMA = 3.0;

/* A guess for the next call spans the medians of this one and so much more:
 * medians of neighbouring windows differ by a few percent. */
static const double GUESS_MARGIN = 0.03;

/* The part of the values near the median, in order. */
typedef struct {
    const double *value;
    size_t n;
    double *near;
    size_t n_near, n_below; /* values in near; values below all of these */
} ranking;

static void
sort_values(double *v, size_t n)
{
    while (n > N_INSERTION) {
        double a = v[0], b = v[n / 2], c = v[n - 1];
        double pivot = a < b ? (b < c ? b : (a < c ? c : a))
                             : (a < c ? a : (b < c ? c : b));
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
    for (size_t i = 1; i < n; i++) {
        double x = v[i];
        size_t j = i;

        for (; j > 0 && v[j - 1] > x; j--)
            v[j] = v[j - 1];
        v[j] = x;
    }
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
    sort_values(r->near, n_near);
}

/* The value at a rank from 0. */
static double
at_rank(ranking *r, size_t rank)
{
    if (rank < r->n_below || rank - r->n_below >= r->n_near)
        collect(r, -INFINITY, INFINITY);
    return r->near[rank - r->n_below];
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
    double count[N_LANE], below[N_LANE], first[N_LANE], second[N_LANE];
} lane_sums;

static inline void
add_lanes(lane_sums *sums, const double *value, size_t width, double low,
          double high, double centre)
{
    for (size_t l = 0; l < width; l++) {
        double x = value[l], d = x - centre;
        double kept = (x >= low) & (x <= high) ? d : 0.0;

        sums->count[l] += (x >= low) & (x <= high) ? 1.0 : 0.0;
        sums->below[l] += x < low ? 1.0 : 0.0;
        sums->first[l] += kept;
        sums->second[l] += kept * kept;
    }
}

static double
total(const double lane[N_LANE])
{
    return (lane[0] + lane[1]) + (lane[2] + lane[3]);
}

/* Of the values from low to high: their number, mean and deviation; and the
 * number of those below. Sums are about a centre, against cancellation. */
static ww_clipped_mean
sum_between(const ranking *r, double low, double high, double centre,
            size_t *n_below)
{
    lane_sums sums = {{0}, {0}, {0}, {0}};
    size_t whole = r->n / N_LANE * N_LANE;
    double n, mean, square;

    for (size_t i = 0; i < whole; i += N_LANE)
        add_lanes(&sums, r->value + i, N_LANE, low, high, centre);
    add_lanes(&sums, r->value + whole, r->n - whole, low, high, centre);
    n = total(sums.count);
    *n_below = (size_t)total(sums.below);
    mean = total(sums.first) / n;
    square = total(sums.second) / n;
    return (ww_clipped_mean){.mean = centre + mean,
                             .deviation =
                                 sqrt(fmax(square - mean * mean, 0.0)),
                             .n = (size_t)n};
}

ww_clipped_mean
ww_clip_mean(const double *value, size_t n, double *scratch,
             ww_median_guess *guess)
{
    ranking r = {.value = value, .n = n, .near = scratch};
    double low = -INFINITY, high = INFINITY, centre, median;
    ww_median_guess seen;
    ww_clipped_mean kept;
    size_t n_below;

    if (!n)
        return (ww_clipped_mean){.mean = NAN, .deviation = NAN};
    if (guess && n >= N_SMALL && guess->high > guess->low)
        collect(&r, guess->low, guess->high);
    centre = median = median_from(&r, 0, n);
    seen = (ww_median_guess){median, median};
    kept = sum_between(&r, low, high, centre, &n_below);
    for (int round = 0; round < N_ROUND; round++) {
        size_t before = kept.n;

        low = fmax(low, median - N_SIGMA * kept.deviation);
        high = fmin(high, median + N_SIGMA * kept.deviation);
        kept = sum_between(&r, low, high, centre, &n_below);
        if (kept.n == before || !kept.n)
            break;
        median = median_from(&r, n_below, kept.n);
        seen.low = fmin(seen.low, median);
        seen.high = fmax(seen.high, median);
    }
    if (guess) {
        double margin = GUESS_MARGIN * fabs(centre);

        *guess = (ww_median_guess){seen.low - margin, seen.high + margin};
    }
    return kept;
}
