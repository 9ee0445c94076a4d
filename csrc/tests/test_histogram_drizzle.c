/* Sums by histogram_drizzle.h: shares counted by hand, positions on edges and
 * outside, what is conserved, ranges that add up, every error. */
#undef NDEBUG
#include <assert.h>
#include <math.h>
#include <string.h>

#include "histogram_drizzle.h"

enum { NX = 3, NY = 4, CELLS = NX * NY, N_SHIFT = 4, MANY = 200 };

static const double X_EDGE[NX + 1] = {0, 1, 3, 7};

typedef struct {
    double y_edge[(NY + 1) * N_SHIFT];
    double den[CELLS], num[2 * CELLS], linear[CELLS], count[CELLS];
    double square[CELLS], above[CELLS];
    ww_histogram_axis x, y;
    ww_histogram_sums sums;
} fixture;

/* Rows 0..4 with sub-samples at -3/8, -1/8, 1/8, 3/8. */
static void
setup(fixture *f)
{
    memset(f, 0, sizeof *f);
    for (int s = 0; s < N_SHIFT; s++)
        for (int c = 0; c <= NY; c++)
            f->y_edge[c * N_SHIFT + s] = c + (s + 0.5) / N_SHIFT - 0.5;
    f->x = (ww_histogram_axis){NX, 1, X_EDGE};
    f->y = (ww_histogram_axis){NY, N_SHIFT, f->y_edge};
    f->sums = (ww_histogram_sums){f->den,   f->num,    f->linear,
                                  f->count, f->square, f->above};
}

static int
add(fixture *f, size_t n, const double *x, const double *y, const double *w,
    const double *v, const double *d, size_t start, size_t stop)
{
    ww_histogram_pixels p = {n, 2, x, y, w, v, d};

    return ww_histogram_drizzle(&f->x, &f->y, &p, start, stop, &f->sums);
}

static void
add_one(fixture *f, double x, double y)
{
    double w = 2, v = 3, d[2] = {5, 7};

    setup(f);
    assert(add(f, 1, &x, &y, &w, &v, d, 0, 1) == WW_OK);
}

static void
test_shares(void)
{
    fixture f;

    add_one(&f, 0.5, 1.25); /* one of four sub-samples in row 0 */
    assert(f.den[0] == 0.5 && f.den[NX] == 1.5);
    assert(f.num[0] == 2.5 && f.num[NX] == 7.5);
    assert(f.num[CELLS] == 3.5 && f.num[CELLS + NX] == 10.5);
    assert(f.count[0] == 0.25 && f.count[NX] == 0.75);
    assert(f.linear[0] == 3 && f.linear[NX] == 9);
    assert(f.square[0] == 0.75 && f.square[NX] == 6.75);
    assert(f.above[0] == 12 * 0.25 * 0.75 && f.above[NX] == 0);

    add_one(&f, 0.5, 2.5); /* all in the middle of a row */
    assert(f.den[2 * NX] == 2 && f.square[2 * NX] == 12);
    for (int c = 0; c < CELLS; c++)
        assert(f.above[c] == 0 && (c == 2 * NX || f.den[c] == 0));
}

static double
total(const double *values)
{
    double sum = 0;

    for (int c = 0; c < CELLS; c++)
        sum += values[c];
    return sum;
}

static void
test_edges(void)
{
    fixture f;

    add_one(&f, 1, 1.5); /* an edge belongs to the upper cell */
    assert(f.den[NX + 1] == 2);
    add_one(&f, 7, 1.5); /* the last one to the last cell */
    assert(f.den[NX + 2] == 2);
    add_one(&f, 0, 0.25); /* one sub-sample below the first row */
    assert(total(f.den) == 1.5 && f.den[0] == 1.5);
    add_one(&f, 7.001, 1.5);
    assert(total(f.count) == 0);
    add_one(&f, -0.001, 1.5);
    assert(total(f.count) == 0);
    add_one(&f, NAN, 1.5);
    assert(total(f.count) == 0);
    add_one(&f, 2, NAN);
    assert(total(f.count) == 0);
    add_one(&f, 2, INFINITY);
    assert(total(f.count) == 0);
}

/* Positions that jump about; compare with sub-samples one by one. */
static void
test_many(void)
{
    double x[MANY], y[MANY], w[MANY], v[MANY], d[2 * MANY], want[CELLS] = {0};
    fixture f, g;

    for (int i = 0; i < MANY; i++) {
        x[i] = fmod(i * 2.7182818, 7.5) - 0.2;
        y[i] = fmod(i * 1.6180339, 4.5) - 0.3;
        w[i] = 1 + i % 3;
        v[i] = 1 + i % 5;
        d[i] = i;
        d[MANY + i] = 1;
        for (int s = 0; s < N_SHIFT; s++) {
            double at = y[i] - ((s + 0.5) / N_SHIFT - 0.5);
            int row = (int)floor(at);
            int column = x[i] < 1 ? 0 : x[i] < 3 ? 1 : 2;

            if (row >= 0 && row < NY && x[i] >= 0 && x[i] <= 7)
                want[row * NX + column] += w[i] * d[i] / N_SHIFT;
        }
    }
    setup(&f);
    assert(add(&f, MANY, x, y, w, v, d, 0, MANY) == WW_OK);
    for (int c = 0; c < CELLS; c++) {
        assert(fabs(f.num[c] - want[c]) < 1e-9);
        assert(fabs(f.num[CELLS + c] - f.den[c]) < 1e-9);
        assert(f.square[c] <= f.linear[c] + 1e-9);
    }
    setup(&g);
    assert(add(&g, MANY, x, y, w, v, d, 0, 77) == WW_OK);
    assert(add(&g, MANY, x, y, w, v, d, 77, 77) == WW_OK);
    assert(add(&g, MANY, x, y, w, v, d, 77, MANY) == WW_OK);
    assert(memcmp(f.num, g.num, sizeof f.num) == 0);
    assert(memcmp(f.above, g.above, sizeof f.above) == 0);
}

/* A pixel within the grid adds its variance to the sum of all cells. */
static void
test_variance_of_the_sum(void)
{
    fixture f;

    add_one(&f, 0.5, 1.375);
    assert(fabs(total(f.square) + 2 * total(f.above) - 12) < 1e-12);
    assert(fabs(total(f.linear) - 12) < 1e-12);
}

static void
test_errors(void)
{
    double one = 1, d[2] = {1, 1};
    fixture f;

    setup(&f);
    assert(add(&f, 1, &one, &one, &one, &one, d, 1, 0) == WW_ERR_RANGE);
    assert(add(&f, 1, &one, &one, &one, &one, d, 0, 2) == WW_ERR_RANGE);
    f.x.n_cell = 0;
    assert(add(&f, 1, &one, &one, &one, &one, d, 0, 1) == WW_ERR_SHAPE);
    setup(&f);
    f.y.n_shift = 0;
    assert(add(&f, 1, &one, &one, &one, &one, d, 0, 1) == WW_ERR_SHAPE);
    assert(total(f.count) == 0);
}

int
main(void)
{
    test_shares();
    test_edges();
    test_many();
    test_variance_of_the_sum();
    test_errors();
    return 0;
}
