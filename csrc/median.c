#include "median.h"

enum {
    N_INSERTION = 16, /* so many are sorted */
    N_SAMPLED = 128   /* from so many on, a pivot is the median of more */
};

/* A part of the list is given up as a whole only if it is a larger share of
 * what is left than one over this; else it may be values that are all equal. */
static const size_t SHARE = 8;

static double
median_of_three(double a, double b, double c)
{
    double low = a < b ? a : b, high = a < b ? b : a;

    high = high < c ? high : c;
    return low > high ? low : high;
}

/* A number near the middle of n values. */
static double
pivot_of(const double *v, size_t n)
{
    size_t step = n / 8;

    if (n < N_SAMPLED)
        return median_of_three(v[0], v[n / 2], v[n - 1]);
    return median_of_three(
        median_of_three(v[0], v[step], v[2 * step]),
        median_of_three(v[3 * step], v[4 * step], v[5 * step]),
        median_of_three(v[6 * step], v[7 * step], v[n - 1]));
}

/* Move those below the pivot to the front. Returns their number. Nothing
 * depends on a prediction here (Lomuto's partition). */
static size_t
gather_below(double *v, size_t n, double pivot)
{
    size_t front = 0;

    for (size_t i = 0; i < n; i++) {
        double value = v[i];

        v[i] = v[front];
        v[front] = value;
        front += value < pivot;
    }
    return front;
}

/* As gather_below, with those that are equal. */
static size_t
gather_up_to(double *v, size_t n, double pivot)
{
    size_t front = 0;

    for (size_t i = 0; i < n; i++) {
        double value = v[i];

        v[i] = v[front];
        v[front] = value;
        front += value <= pivot;
    }
    return front;
}

static void
sort_few(double *v, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        double value = v[i];
        size_t k = i;

        for (; k > 0 && v[k - 1] > value; k--)
            v[k] = v[k - 1];
        v[k] = value;
    }
}

/* Reorder so that the k-th smallest of n is at k, all before it are no larger
 * and all after it no smaller: quickselect, Hoare 1961. */
static void
select_kth(double *v, size_t n, size_t k)
{
    while (n > N_INSERTION) {
        double pivot = pivot_of(v, n);
        size_t below = gather_below(v, n, pivot), more;

        if (k < below) {
            n = below;
            continue;
        }
        v += below, k -= below;
        more = n - below;
        if (below < n / SHARE) {
            size_t equal = gather_up_to(v, more, pivot);

            if (k < equal || equal == 0) /* none is but among NaN */
                return;
            v += equal, k -= equal;
            more -= equal;
        }
        n = more;
    }
    sort_few(v, n);
}

double
ww_median(double *values, size_t n, int rounds)
{
    size_t k = n / 2;
    double upper, lower, sum;

    select_kth(values, n, k);
    upper = values[k];
    if (n % 2)
        return upper;
    lower = values[0];
    for (size_t i = 1; i < k; i++)
        lower = values[i] > lower ? values[i] : lower;
    sum = lower + upper;
    return rounds ? (double)((float)sum / 2.0f) : sum / 2.0;
}
