/* A cubic spline and its variance at a point.
 *
 * The spline has n_knot ascending knots, the first four and the last four
 * alike, and n_knot - 4 coefficients. Beyond its knots it goes on as the
 * polynomial of its first or last interval. Spacing is free; lookup is fastest
 * where the inner knots are equally spaced.
 *
 * Re-entrant. n_knot is at least 8; nothing is checked here.
 */
#ifndef WW_SPLINE_VALUE_H
#define WW_SPLINE_VALUE_H

#include <stddef.h>

enum {
    WW_SPLINE_ORDER = 4 /* number of basis functions at a point */
};

/* The index j of the knot interval of x: knots[j] <= x < knots[j + 1], with
 * 3 <= j <= n_knot - 5; the first or last for any x beyond the knots. */
size_t
ww_spline_interval(const double *knots, size_t n_knot, double x);

/* The basis functions j - 3 .. j at x, where j is the interval of x. */
void
ww_spline_basis(const double *knots, size_t j, double x,
                double basis[WW_SPLINE_ORDER]);

/* The spline at x; NaN if x is not finite. */
double
ww_spline_value(const double *knots, size_t n_knot, const double *coefficients,
                double x);

/* The variance of the spline at x from the covariance of its coefficients,
 * covariance[j][k] being that of the coefficients j and j + k, with n_knot - 4
 * lines; NaN if x is not finite. */
double
ww_spline_variance(const double *knots, size_t n_knot,
                   const float (*covariance)[WW_SPLINE_ORDER], double x);

#endif
