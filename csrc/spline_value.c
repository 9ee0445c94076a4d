#include "spline_value.h"

#include <math.h>

enum { DEGREE = WW_SPLINE_ORDER - 1 };

size_t
ww_spline_interval(const double *knots, size_t n_knot, double x)
{
    size_t first = DEGREE, last = n_knot - WW_SPLINE_ORDER - 1, j = first;

    /* A guess for equally spaced inner knots: there are last - first of them,
     * from first + 1 to last. */
    if (last > first + 1 && x > knots[first + 1]) {
        double spacing =
            (knots[last] - knots[first + 1]) / (double)(last - first - 1);
        double step = (x - knots[first + 1]) / spacing;

        j = step < (double)(last - first - 1) ? first + 1 + (size_t)step
                                              : last;
    }
    while (j > first && x < knots[j])
        j--;
    while (j < last && x >= knots[j + 1])
        j++;
    return j;
}

/* The recurrence of Cox and de Boor (de Boor 1978, A Practical Guide to
 * Splines, chapter X), in the order of operations of FITPACK. */
void
ww_spline_basis(const double *knots, size_t j, double x,
                double basis[WW_SPLINE_ORDER])
{
    double lower[DEGREE];

    basis[0] = 1.0;
    for (size_t degree = 1; degree <= DEGREE; degree++) {
        for (size_t n = 0; n < degree; n++)
            lower[n] = basis[n];
        basis[0] = 0.0;
        for (size_t n = 1; n <= degree; n++) {
            double right = knots[j + n], left = knots[j + n - degree];
            double w = right > left ? lower[n - 1] / (right - left) : 0.0;

            basis[n - 1] += w * (right - x);
            basis[n] = w * (x - left);
        }
    }
}

double
ww_spline_value(const double *knots, size_t n_knot, const double *coefficients,
                double x)
{
    double basis[WW_SPLINE_ORDER], sum = 0.0;
    size_t j;

    if (!isfinite(x))
        return NAN;
    j = ww_spline_interval(knots, n_knot, x);
    ww_spline_basis(knots, j, x, basis);
    for (size_t n = 0; n < WW_SPLINE_ORDER; n++)
        sum += basis[n] * coefficients[j - DEGREE + n];
    return sum;
}

double
ww_spline_variance(const double *knots, size_t n_knot,
                   const float (*covariance)[WW_SPLINE_ORDER], double x)
{
    double basis[WW_SPLINE_ORDER], sum = 0.0;
    size_t j;

    if (!isfinite(x))
        return NAN;
    j = ww_spline_interval(knots, n_knot, x);
    ww_spline_basis(knots, j, x, basis);
    for (size_t n = 0; n < WW_SPLINE_ORDER; n++) {
        const float *line = covariance[j - DEGREE + n];

        sum += basis[n] * basis[n] * (double)line[0];
        for (size_t k = 1; n + k < WW_SPLINE_ORDER; k++)
            sum += 2.0 * basis[n] * basis[n + k] * (double)line[k];
    }
    return sum;
}
