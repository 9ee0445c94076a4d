/* Splines at a point by spline_value.h: polynomials are reproduced, inside and
 * beyond the knots, whatever the spacing. */
#undef NDEBUG
#include <assert.h>
#include <math.h>

#include "spline_value.h"

enum { N_KNOT = 12, N_COEFFICIENT = N_KNOT - 4 };

static const double EQUAL[N_KNOT] = {1, 1, 1, 1, 2, 3, 4, 5, 6, 6, 6, 6};
static const double UNEQUAL[N_KNOT] = {-2,  -2,  -2, -2, -1.9, 0.5,
                                       0.7, 4.0, 7,  7,  7,    7};
static const double NO_INNER[8] = {0, 0, 0, 0, 3, 3, 3, 3};

static double
cubic(double x)
{
    return 2.0 - x + 0.5 * x * x - 0.25 * x * x * x;
}

/* The coefficients of the cubic: its blossom at three knots in a row. */
static void
set_cubic(const double *knots, size_t n_knot, double *c)
{
    for (size_t i = 0; i + 4 < n_knot; i++) {
        double u = knots[i + 1], v = knots[i + 2], w = knots[i + 3];

        c[i] = 2.0 - (u + v + w) / 3.0 + 0.5 * (u * v + v * w + w * u) / 3.0 -
               0.25 * u * v * w;
    }
}

static void
a_cubic_is_itself(const double *knots, size_t n_knot)
{
    double c[N_COEFFICIENT];

    set_cubic(knots, n_knot, c);
    for (double x = -4.0; x < 9.0; x += 0.0625)
        assert(fabs(ww_spline_value(knots, n_knot, c, x) - cubic(x)) <
               1e-12 * (1.0 + fabs(x * x * x)));
    assert(isnan(ww_spline_value(knots, n_knot, c, NAN)));
    assert(isnan(ww_spline_value(knots, n_knot, c, INFINITY)));
}

static void
intervals_are_half_open(void)
{
    assert(ww_spline_interval(EQUAL, N_KNOT, -1e300) == 3);
    assert(ww_spline_interval(EQUAL, N_KNOT, 1.0) == 3);
    assert(ww_spline_interval(EQUAL, N_KNOT, 1.999) == 3);
    assert(ww_spline_interval(EQUAL, N_KNOT, 2.0) == 4);
    assert(ww_spline_interval(EQUAL, N_KNOT, 5.0) == 7);
    assert(ww_spline_interval(EQUAL, N_KNOT, 6.0) == 7);
    assert(ww_spline_interval(EQUAL, N_KNOT, 1e300) == 7);
    assert(ww_spline_interval(UNEQUAL, N_KNOT, 0.69) == 5);
    assert(ww_spline_interval(UNEQUAL, N_KNOT, 3.9) == 6);
    assert(ww_spline_interval(NO_INNER, 8, 1.0) == 3);
}

static void
variance_of_independent_coefficients(void)
{
    float covariance[N_COEFFICIENT][WW_SPLINE_ORDER] = {{0}};
    double basis[WW_SPLINE_ORDER], expected = 0.0;

    for (int j = 0; j < N_COEFFICIENT; j++)
        covariance[j][0] = (float)(j + 1);
    ww_spline_basis(EQUAL, 5, 3.25, basis);
    for (int n = 0; n < WW_SPLINE_ORDER; n++)
        expected += basis[n] * basis[n] * (2 + n + 1);
    assert(fabs(ww_spline_variance(EQUAL, N_KNOT,
                                   (const float (*)[4])covariance, 3.25) -
                expected) < 1e-14);
    assert(isnan(ww_spline_variance(EQUAL, N_KNOT,
                                    (const float (*)[4])covariance, NAN)));
}

static void
variance_of_a_common_error(void)
{
    float covariance[N_COEFFICIENT][WW_SPLINE_ORDER];

    /* All coefficients off by the same: so is the spline, everywhere. */
    for (int j = 0; j < N_COEFFICIENT; j++)
        for (int k = 0; k < WW_SPLINE_ORDER; k++)
            covariance[j][k] = 4.0f;
    for (double x = 0.0; x < 7.0; x += 0.25)
        assert(fabs(ww_spline_variance(UNEQUAL, N_KNOT,
                                       (const float (*)[4])covariance, x) -
                    4.0) < 1e-10);
}

int
main(void)
{
    a_cubic_is_itself(EQUAL, N_KNOT);
    a_cubic_is_itself(UNEQUAL, N_KNOT);
    a_cubic_is_itself(NO_INNER, 8);
    intervals_are_half_open();
    variance_of_independent_coefficients();
    variance_of_a_common_error();
    return 0;
}
