#include "spline_design.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DEGREE = WW_SPLINE_ORDER - 1 };

static int
is_basis(const ww_uniform_basis *basis)
{
    return basis->n_function >= WW_SPLINE_ORDER &&
           basis->n_function <= INT32_MAX - WW_SPLINE_ORDER &&
           isfinite(basis->high - basis->low) && basis->low < basis->high;
}

/* The knots; NULL if there is no memory. */
static double *
make_knots(const ww_uniform_basis *basis)
{
    size_t n_knot = basis->n_function + WW_SPLINE_ORDER;
    size_t n_interval = basis->n_function - DEGREE;
    double step = (basis->high - basis->low) / (double)n_interval;
    double *knots = malloc(n_knot * sizeof *knots);

    if (!knots)
        return NULL;
    for (size_t k = 0; k < WW_SPLINE_ORDER; k++) {
        knots[k] = basis->low;
        knots[n_knot - 1 - k] = basis->high;
    }
    for (size_t k = 1; k < n_interval; k++)
        knots[DEGREE + k] = basis->low + (double)k * step;
    return knots;
}

/* The four functions at a place, and which is the first of them. */
static size_t
fill_row(const ww_uniform_basis *basis, const double *knots, double x,
         double row[WW_SPLINE_ORDER])
{
    size_t j = DEGREE;

    if (x >= basis->low && x <= basis->high) {
        j = ww_spline_interval(knots, basis->n_function + WW_SPLINE_ORDER, x);
        ww_spline_basis(knots, j, x, row);
    } else {
        for (size_t k = 0; k < WW_SPLINE_ORDER; k++)
            row[k] = isnan(x) ? NAN : 0.0;
    }
    return j - DEGREE;
}

int
ww_spline_rows(const ww_uniform_basis *basis, const double *x, size_t n,
               int32_t *first, double (*value)[WW_SPLINE_ORDER])
{
    double *knots;

    if (!is_basis(basis))
        return WW_ERR_ARGUMENT;
    knots = make_knots(basis);
    if (!knots)
        return WW_ERR_NOMEM;
    for (size_t i = 0; i < n; i++)
        first[i] = (int32_t)fill_row(basis, knots, x[i], value[i]);
    free(knots);
    return WW_OK;
}

static int
rows_are_inside(size_t n, const int32_t *first, size_t n_function)
{
    for (size_t i = 0; i < n; i++)
        if (first[i] < 0 || (size_t)first[i] + WW_SPLINE_ORDER > n_function)
            return 0;
    return 1;
}

int
ww_spline_clip(size_t n, const int32_t *first,
               double (*value)[WW_SPLINE_ORDER], size_t n_function,
               double floor)
{
    double *largest;

    if (!rows_are_inside(n, first, n_function))
        return WW_ERR_RANGE;
    largest = calloc(n_function ? n_function : 1, sizeof *largest);
    if (!largest)
        return WW_ERR_NOMEM;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < WW_SPLINE_ORDER; k++)
            largest[(size_t)first[i] + k] =
                fmax(largest[(size_t)first[i] + k], value[i][k]);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < WW_SPLINE_ORDER; k++)
            if (value[i][k] < floor * largest[(size_t)first[i] + k])
                value[i][k] = 0.0;
    free(largest);
    return WW_OK;
}

int
ww_spline_sums(const ww_uniform_basis *basis, const double *x, size_t n,
               const double *coefficients, size_t n_set, double *out)
{
    double *knots;

    if (!is_basis(basis))
        return WW_ERR_ARGUMENT;
    knots = make_knots(basis);
    if (!knots)
        return WW_ERR_NOMEM;
    for (size_t i = 0; i < n; i++) {
        double row[WW_SPLINE_ORDER];
        const double *c =
            coefficients + n_set * fill_row(basis, knots, x[i], row);

        for (size_t s = 0; s < n_set; s++)
            out[i * n_set + s] =
                (row[0] * c[s] + row[1] * c[n_set + s]) +
                (row[2] * c[2 * n_set + s] + row[3] * c[3 * n_set + s]);
    }
    free(knots);
    return WW_OK;
}

/* band[j][k] is the element (j, j + k) of the normal matrix. */
static void
add_rows(size_t n, const int32_t *first,
         const double (*value)[WW_SPLINE_ORDER], const double *y,
         const double *weight, double (*band)[WW_SPLINE_ORDER], double *right)
{
    for (size_t i = 0; i < n; i++) {
        size_t j = (size_t)first[i];

        for (size_t a = 0; a < WW_SPLINE_ORDER; a++) {
            double w = weight[i] * value[i][a];

            right[j + a] += w * y[i];
            for (size_t b = a; b < WW_SPLINE_ORDER; b++)
                band[j + a][b - a] += w * value[i][b];
        }
    }
}

/* Make the row and column of a function those of the unit matrix. */
static void
leave_out(size_t j, double (*band)[WW_SPLINE_ORDER], double *right)
{
    band[j][0] = 1.0;
    right[j] = 0.0;
    for (size_t k = 1; k < WW_SPLINE_ORDER; k++) {
        band[j][k] = 0.0;
        if (j >= k)
            band[j - k][k] = 0.0;
    }
}

static size_t
reach_of(size_t j, size_t m)
{
    return m - j < WW_SPLINE_ORDER ? m - j : WW_SPLINE_ORDER;
}

/* L D L': on return band[j][0] is the pivot, band[j][k] is L[j + k][j]. */
static void
factorise(size_t m, double tolerance, uint8_t *keep,
          double (*band)[WW_SPLINE_ORDER], double *right)
{
    double diagonal[WW_SPLINE_ORDER]; /* of j .. j + 3, before elimination */

    for (size_t k = 0; k < WW_SPLINE_ORDER && k < m; k++)
        diagonal[k] = band[k][0];
    for (size_t j = 0; j < m; j++) {
        size_t reach = reach_of(j, m);
        double *row = band[j], whole = diagonal[j % WW_SPLINE_ORDER];

        if (keep[j] && !(row[0] > 0.0 && row[0] >= tolerance * whole)) {
            keep[j] = 0;
            row[0] = 1.0;
            row[1] = row[2] = row[3] = right[j] = 0.0;
        }
        /* Nothing has been added to row j + 4 yet. */
        if (j + WW_SPLINE_ORDER < m)
            diagonal[j % WW_SPLINE_ORDER] = band[j + WW_SPLINE_ORDER][0];
        for (size_t k = 1; k < reach; k++) {
            double l = row[k] / row[0];

            for (size_t q = k; q < reach; q++)
                band[j + k][q - k] -= l * row[q];
        }
        for (size_t k = 1; k < reach; k++)
            row[k] /= row[0];
    }
}

/* right becomes the solution; it is 0 before start. An element that is left
 * out must be 0: then it stays so, as its column of L is 0 and, where it was
 * left out before elimination, its row, too. */
static void
substitute(size_t m, const uint8_t *keep,
           const double (*band)[WW_SPLINE_ORDER], size_t start, double *right)
{
    for (size_t j = start; j < m; j++) {
        if (!keep[j])
            right[j] = 0.0;
        for (size_t k = 1; k < reach_of(j, m); k++)
            right[j + k] -= band[j][k] * right[j];
    }
    for (size_t j = m; j-- > 0;) {
        right[j] /= band[j][0];
        for (size_t k = 1; k < reach_of(j, m); k++)
            right[j] -= band[j][k] * right[j + k];
        if (!keep[j])
            right[j] = 0.0;
    }
}

int
ww_spline_least_squares(size_t n, const int32_t *first,
                        const double (*value)[WW_SPLINE_ORDER],
                        const double *y, const double *weight,
                        size_t n_function, double tolerance, uint8_t *keep,
                        double *coefficients, double *covariance)
{
    size_t m = n_function;
    double (*band)[WW_SPLINE_ORDER];

    if (m < WW_SPLINE_ORDER || !rows_are_inside(n, first, m))
        return WW_ERR_RANGE;
    band = calloc(m, sizeof *band);
    if (!band)
        return WW_ERR_NOMEM;
    memset(coefficients, 0, m * sizeof *coefficients);
    add_rows(n, first, value, y, weight, band, coefficients);
    for (size_t j = 0; j < m; j++)
        if (!keep[j])
            leave_out(j, band, coefficients);
    factorise(m, tolerance, keep, band, coefficients);
    substitute(m, keep, (const double (*)[WW_SPLINE_ORDER])band, 0,
               coefficients);
    for (size_t j = 0; covariance && j < m; j++) {
        double *row = covariance + j * m;

        memset(row, 0, m * sizeof *row);
        if (keep[j]) {
            row[j] = 1.0;
            substitute(m, keep, (const double (*)[WW_SPLINE_ORDER])band, j,
                       row);
        }
    }
    free(band);
    return WW_OK;
}
