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

/* The functions of an interval, first to last of the four, as polynomials of
 * u, which goes from 0 to 1 in it: piece[k][p] belongs to u to the power p. */
typedef struct {
    double of[WW_SPLINE_ORDER][WW_SPLINE_ORDER];
} piece;

typedef struct {
    double low, high, per_step; /* intervals per unit of x */
    size_t n_interval;
    piece *pieces; /* [n_interval] */
} pieces;

/* The place of knot number k, in steps from low. */
static double
knot_at(size_t k, size_t n_interval)
{
    if (k <= DEGREE)
        return 0.0;
    return k - DEGREE < n_interval ? (double)(k - DEGREE) : (double)n_interval;
}

/* The recurrence of Cox and de Boor (de Boor 1978, A Practical Guide to
 * Splines, chapter X) on polynomials. */
static void
set_piece(size_t interval, size_t n_interval, piece *out)
{
    double (*p)[WW_SPLINE_ORDER] = out->of;

    memset(p, 0, sizeof out->of);
    p[0][0] = 1.0;
    for (size_t degree = 1; degree <= DEGREE; degree++) {
        double carry[WW_SPLINE_ORDER] = {0};

        for (size_t n = 0; n < degree; n++) {
            size_t knot = interval + DEGREE + n + 1;
            double right = knot_at(knot, n_interval);
            double left = knot_at(knot - degree, n_interval);
            double w[WW_SPLINE_ORDER];

            for (size_t k = 0; k < WW_SPLINE_ORDER; k++)
                w[k] = p[n][k] / (right - left);
            for (size_t k = 0; k < WW_SPLINE_ORDER; k++) {
                double before = k ? w[k - 1] : 0.0; /* times u */

                p[n][k] =
                    carry[k] + (right - (double)interval) * w[k] - before;
                carry[k] = ((double)interval - left) * w[k] + before;
            }
        }
        memcpy(p[degree], carry, sizeof carry);
    }
}

/* Returns WW_OK or WW_ERR_NOMEM; on success the caller frees all->pieces. */
static int
make_pieces(const ww_uniform_basis *basis, pieces *all)
{
    size_t n = basis->n_function - DEGREE;

    all->low = basis->low;
    all->high = basis->high;
    all->n_interval = n;
    all->per_step = (double)n / (basis->high - basis->low);
    all->pieces = malloc(n * sizeof *all->pieces);
    if (!all->pieces)
        return WW_ERR_NOMEM;
    for (size_t q = 0; q < n; q++)
        set_piece(q, n, &all->pieces[q]);
    return WW_OK;
}

/* The interval of a place inside, and where in it that is. */
static size_t
find_interval(const pieces *all, double x, double *u)
{
    double steps = (x - all->low) * all->per_step;
    size_t q = (size_t)steps;

    q = q < all->n_interval ? q : all->n_interval - 1;
    *u = steps - (double)q;
    return q;
}

int
ww_spline_rows(const ww_uniform_basis *basis, const double *x, size_t n,
               int32_t *first, double (*value)[WW_SPLINE_ORDER])
{
    pieces all;

    if (!is_basis(basis))
        return WW_ERR_ARGUMENT;
    if (make_pieces(basis, &all))
        return WW_ERR_NOMEM;
    for (size_t i = 0; i < n; i++) {
        double u = isnan(x[i]) ? NAN : 0.0;

        first[i] = 0;
        for (size_t k = 0; k < WW_SPLINE_ORDER; k++)
            value[i][k] = u;
        if (x[i] >= all.low && x[i] <= all.high) {
            size_t q = find_interval(&all, x[i], &u);
            const piece *p = &all.pieces[q];

            first[i] = (int32_t)q;
            for (size_t k = 0; k < WW_SPLINE_ORDER; k++)
                value[i][k] =
                    p->of[k][0] +
                    u * (p->of[k][1] + u * (p->of[k][2] + u * p->of[k][3]));
        }
    }
    free(all.pieces);
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

/* The splines of an interval as polynomials of u: local[power][set]. */
static void
set_local(const piece *p, const double *c, size_t n_set, double *local)
{
    for (size_t power = 0; power < WW_SPLINE_ORDER; power++)
        for (size_t s = 0; s < n_set; s++)
            local[power * n_set + s] =
                (p->of[0][power] * c[s] + p->of[1][power] * c[n_set + s]) +
                (p->of[2][power] * c[2 * n_set + s] +
                 p->of[3][power] * c[3 * n_set + s]);
}

int
ww_spline_sums(const ww_uniform_basis *basis, const double *x, size_t n,
               const double *coefficients, size_t n_set, double *out)
{
    pieces all;
    double *local;
    size_t size = WW_SPLINE_ORDER * n_set;

    if (!is_basis(basis))
        return WW_ERR_ARGUMENT;
    if (make_pieces(basis, &all))
        return WW_ERR_NOMEM;
    local = malloc(all.n_interval * size * sizeof *local + 1);
    if (!local) {
        free(all.pieces);
        return WW_ERR_NOMEM;
    }
    for (size_t q = 0; q < all.n_interval; q++)
        set_local(&all.pieces[q], coefficients + q * n_set, n_set,
                  local + q * size);
    for (size_t i = 0; i < n; i++) {
        double u = isnan(x[i]) ? NAN : 0.0, *to = out + i * n_set;

        if (x[i] >= all.low && x[i] <= all.high) {
            const double *p = local + size * find_interval(&all, x[i], &u);

            for (size_t s = 0; s < n_set; s++)
                to[s] = p[s] + u * (p[n_set + s] + u * (p[2 * n_set + s] +
                                                        u * p[3 * n_set + s]));
        } else {
            for (size_t s = 0; s < n_set; s++)
                to[s] = u;
        }
    }
    free(local);
    free(all.pieces);
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

int
ww_spline_normal(size_t n, const int32_t *first,
                 const double (*value)[WW_SPLINE_ORDER], const double *y,
                 const double *weight, size_t n_function,
                 double (*band)[WW_SPLINE_ORDER], double *right)
{
    if (!rows_are_inside(n, first, n_function))
        return WW_ERR_RANGE;
    memset(band, 0, n_function * sizeof *band);
    memset(right, 0, n_function * sizeof *right);
    add_rows(n, first, value, y, weight, band, right);
    return WW_OK;
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
