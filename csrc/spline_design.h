/* Uniform cubic B-splines: what each function is at each of many places, and
 * least squares on that.
 *
 * There are n_function basis functions (at least 4) on [low, high], with
 * fourfold knots at both ends and equally spaced ones between. Outside, all
 * functions are 0. At any place at most four in a row are not 0, so a row of
 * the design matrix is the index of its first function and four values.
 *
 * Re-entrant.
 */
#ifndef WW_SPLINE_DESIGN_H
#define WW_SPLINE_DESIGN_H

#include <stddef.h>
#include <stdint.h>

#include "spline_value.h"
#include "status.h"

typedef struct {
    size_t n_function;
    double low, high;
} ww_uniform_basis;

/* The rows at n places. first: [n], from 0 to n_function - 4. value: [n][4]; 0
 * outside [low, high], NaN where x is NaN.
 *
 * Returns WW_OK; WW_ERR_ARGUMENT if n_function is less than 4 or more than
 * INT32_MAX, or low < high does not hold; WW_ERR_NOMEM. */
int
ww_spline_rows(const ww_uniform_basis *basis, const double *x, size_t n,
               int32_t *first, double (*value)[WW_SPLINE_ORDER]);

/* Put 0 where a function is less than floor times its largest value among
 * these rows. No row may be NaN.
 *
 * Returns WW_OK; WW_ERR_RANGE if a first is not in [0, n_function - 4];
 * WW_ERR_NOMEM. */
int
ww_spline_clip(size_t n, const int32_t *first,
               double (*value)[WW_SPLINE_ORDER], size_t n_function,
               double floor);

/* The splines with given coefficients: out[i][k] is the sum over j of
 * basis[j](x[i]) * coefficients[j][k], for n_set sets. NaN where x is NaN.
 *
 * Returns as ww_spline_rows. */
int
ww_spline_sums(const ww_uniform_basis *basis, const double *x, size_t n,
               const double *coefficients, size_t n_set, double *out);

/* The normal equations: band[j][k] is the sum over i of weight[i] times the
 * functions j and j + k, right[j] that of weight[i] y[i] times function j.
 * band: [n_function][4], of which what lies beyond the last function is 0.
 *
 * Returns WW_OK; WW_ERR_RANGE if a first is not in [0, n_function - 4]. */
int
ww_spline_normal(size_t n, const int32_t *first,
                 const double (*value)[WW_SPLINE_ORDER], const double *y,
                 const double *weight, size_t n_function,
                 double (*band)[WW_SPLINE_ORDER], double *right);

/* Weighted least squares: the coefficients that make the sum of
 * weight[i] (y[i] - sum_j value[i][j] c[first[i] + j])^2 least.
 *
 * Normal equations, whose band is 4 wide, by L D L'. All numbers are finite.
 *
 * keep: [n_function]; a function where it is 0 is left out. On return it is
 * also 0 for a function that the samples do not determine: its pivot is below
 * tolerance times its diagonal, or 0. Those have the coefficient 0.
 * coefficients: [n_function]. covariance: [n_function][n_function], the
 * inverse of the normal matrix, 0 in rows and columns of what is left out; or
 * NULL.
 *
 * Returns WW_OK; WW_ERR_RANGE if a first is not in [0, n_function - 4];
 * WW_ERR_NOMEM. */
int
ww_spline_least_squares(size_t n, const int32_t *first,
                        const double (*value)[WW_SPLINE_ORDER],
                        const double *y, const double *weight,
                        size_t n_function, double tolerance, uint8_t *keep,
                        double *coefficients, double *covariance);

#endif
