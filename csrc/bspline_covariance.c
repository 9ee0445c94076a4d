#include "bspline_covariance.h"

#include <string.h>

enum { DEGREE = WW_SPLINE_ORDER - 1 };

void
ww_coefficient_covariance_init(ww_covariance_work *work, size_t max_knot,
                               ww_arena *arena)
{
    work->inverse =
        ww_arena_take(arena, max_knot * max_knot, sizeof *work->inverse);
    work->middle = ww_arena_take(arena, max_knot, sizeof *work->middle);
}

/* Column j of the inverse of L D L', from the unit vector. */
static void
invert_column(const ww_spline_system *s, size_t n, size_t j, double *column)
{
    memset(column, 0, n * sizeof *column);
    column[j] = 1.0;
    for (size_t i = j; i < n; i++)
        for (size_t k = 1; k < WW_SPLINE_ORDER && i + k < n; k++)
            column[i + k] -= s->factor[i][k] * column[i];
    for (size_t i = j; i < n; i++)
        column[i] /= s->factor[i][0];
    for (size_t i = n; i-- > 0;)
        for (size_t k = 1; k < WW_SPLINE_ORDER && i + k < n; k++)
            column[i] -= s->factor[i][k] * column[i + k];
}

/* The sums of weight_p u^k of the samples of an interval. */
static void
sum_powers(const ww_spline_system *s, size_t interval, const double *x,
           const double *weight, double moment[WW_N_POWER])
{
    double centre =
        0.5 * (s->knots[interval + DEGREE] + s->knots[interval + DEGREE + 1]);
    double scale = 1.0 / s->step;

    memset(moment, 0, WW_N_POWER * sizeof *moment);
    for (size_t p = s->first[interval]; p < s->first[interval + 1]; p++) {
        double u = (x[p] - centre) * scale, term = weight[p];

        for (size_t k = 0; k < WW_N_POWER; k++) {
            moment[k] += term;
            term *= u;
        }
    }
}

static void
fill_middle(ww_covariance_work *work, const ww_spline_system *s,
            const double *x, const double *weight, size_t n)
{
    memset(work->middle, 0, n * sizeof *work->middle);
    for (size_t q = 0; q < s->n_interval; q++) {
        double moment[WW_N_POWER], triangle[10];
        size_t e = 0;

        sum_powers(s, q, x, weight, moment);
        ww_interval_matrix((const double (*)[4])s->piece[q], moment, triangle);
        for (size_t a = 0; a < WW_SPLINE_ORDER; a++)
            for (size_t b = a; b < WW_SPLINE_ORDER; b++)
                work->middle[q + a][b - a] += triangle[e++];
    }
}

/* Element i of the product of the middle matrix and a column. */
static double
middle_times(const ww_covariance_work *work, size_t n, const double *column,
             size_t i)
{
    double sum = work->middle[i][0] * column[i];

    for (size_t k = 1; k < WW_SPLINE_ORDER; k++) {
        if (i + k < n)
            sum += work->middle[i][k] * column[i + k];
        if (i >= k)
            sum += work->middle[i - k][k] * column[i - k];
    }
    return sum;
}

void
ww_coefficient_covariance(ww_covariance_work *work,
                          const ww_spline_system *system,
                          const ww_spline_samples *samples, double *variance,
                          float *covariance)
{
    size_t n = system->n_knot - WW_SPLINE_ORDER;

    if (samples->weight)
        for (size_t p = 0; p < samples->n; p++)
            variance[p] *= samples->weight[p] * samples->weight[p];
    fill_middle(work, system, samples->x, variance, n);
    for (size_t j = 0; j < n; j++)
        invert_column(system, n, j, work->inverse + j * n);
    for (size_t j = 0; j < n; j++) {
        const double *column = work->inverse + j * n;
        double sum[WW_SPLINE_ORDER] = {0};

        for (size_t i = 0; i < n; i++) {
            double product = middle_times(work, n, column, i);

            for (size_t k = 0; k < WW_SPLINE_ORDER && j + k < n; k++)
                sum[k] += work->inverse[(j + k) * n + i] * product;
        }
        for (size_t k = 0; k < WW_SPLINE_ORDER; k++)
            covariance[j * WW_SPLINE_ORDER + k] = (float)sum[k];
    }
}
