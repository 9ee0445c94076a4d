#include "median.h"

#include "sorting.h"

enum {
    N_INSERTION = 16, /* so many are sorted */
    N_SAMPLED = 128   /* from so many on, a pivot is the median of more */
};

/* A part of the list is given up as a whole only if it is a larger share of
 * what is left than one over this; else it may be values that are all equal. */
static const size_t SHARE = 8;

/* A number near the middle of n values. */
static double
pivot_of(const double *v, size_t n)
{
    size_t step = n / 8;

    if (n < N_SAMPLED)
        return ww_middle_of_three(v[0], v[n / 2], v[n - 1]);
    return ww_middle_of_three(
        ww_middle_of_three(v[0], v[step], v[2 * step]),
        ww_middle_of_three(v[3 * step], v[4 * step], v[5 * step]),
        ww_middle_of_three(v[6 * step], v[7 * step], v[n - 1]));
}

/* Move those below the pivot to the front, or also those that are equal.
 * Returns their number. Nothing depends on a prediction here (Lomuto's
 * partition). */
static inline size_t
gather(double *v, size_t n, double pivot, int or_equal)
{
    size_t front = 0;

    for (size_t i = 0; i < n; i++) {
        double value = v[i];

        v[i] = v[front];
        v[front] = value;
        front += (size_t)(or_equal ? value <= pivot : value < pivot);
    }
    return front;
}

/* Reorder so that the k-th smallest of n is at k, all before it are no larger
 * and all after it no smaller: quickselect, Hoare 1961. */
static void
select_kth(double *v, size_t n, size_t k)
{
    while (n > N_INSERTION) {
        double pivot = pivot_of(v, n);
        size_t below = gather(v, n, pivot, 0), more;

        if (k < below) {
            n = below;
            continue;
        }
        v += below, k -= below;
        more = n - below;
        if (below < n / SHARE) {
            size_t equal = gather(v, more, pivot, 1);

            if (k < equal || equal == 0) /* none is but among NaN */
                return;
            v += equal, k -= equal;
            more -= equal;
        }
        n = more;
    }
    ww_sort_few(v, n);
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
