/* B-splines by spline_design.h: they sum to one, reproduce a line, and least
 * squares finds the coefficients that samples were made from. */
#undef NDEBUG
#include <assert.h>
#include <math.h>

#include "spline_design.h"

enum { N = 200, M = 9 };

static const ww_uniform_basis BASIS = {M, -1.0, 2.0};

static void
make_places(double x[N])
{
    for (int i = 0; i < N; i++)
        x[i] = -1.0 + 3.0 * i / (N - 1.0);
}

static void
functions_sum_to_one(void)
{
    double x[N], value[N][4];
    int32_t first[N];

    make_places(x);
    assert(ww_spline_rows(&BASIS, x, N, first, value) == WW_OK);
    for (int i = 0; i < N; i++) {
        double sum = value[i][0] + value[i][1] + value[i][2] + value[i][3];

        assert(fabs(sum - 1.0) < 1e-14);
        assert(first[i] >= 0 && first[i] <= M - 4);
    }
    assert(value[0][0] == 1.0 && first[0] == 0 && value[0][1] == 0.0);
    assert(fabs(value[N - 1][3] - 1.0) < 1e-14 && first[N - 1] == M - 4);
}

static void
outside_is_zero_and_nan_is_nan(void)
{
    const double x[4] = {-1.0001, 2.0001, INFINITY, NAN};
    const double c[M] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    double value[4][4], out[4];
    int32_t first[4];

    assert(ww_spline_rows(&BASIS, x, 4, first, value) == WW_OK);
    assert(ww_spline_sums(&BASIS, x, 4, c, 1, out) == WW_OK);
    for (int i = 0; i < 3; i++) {
        assert(out[i] == 0.0);
        for (int k = 0; k < 4; k++)
            assert(value[i][k] == 0.0);
    }
    assert(isnan(value[3][0]) && isnan(value[3][3]) && isnan(out[3]));
    assert(first[3] == 0);
}

static void
sums_are_rows_times_coefficients(void)
{
    double x[N], value[N][4], c[M][2], out[N][2];
    int32_t first[N];

    make_places(x);
    for (int j = 0; j < M; j++)
        c[j][0] = sin(j), c[j][1] = 3.0;
    assert(ww_spline_rows(&BASIS, x, N, first, value) == WW_OK);
    assert(ww_spline_sums(&BASIS, x, N, &c[0][0], 2, &out[0][0]) == WW_OK);
    for (int i = 0; i < N; i++) {
        double sum = 0.0;

        for (int k = 0; k < 4; k++)
            sum += value[i][k] * c[first[i] + k][0];
        assert(fabs(out[i][0] - sum) < 1e-14);
        assert(fabs(out[i][1] - 3.0) < 1e-14);
    }
}

static void
clipping_takes_small_values(void)
{
    double x[N], value[N][4], before[N][4], largest[M] = {0};
    int32_t first[N];
    int n_changed = 0;

    make_places(x);
    assert(ww_spline_rows(&BASIS, x, N, first, before) == WW_OK);
    assert(ww_spline_rows(&BASIS, x, N, first, value) == WW_OK);
    assert(ww_spline_clip(N, first, value, M, 1e-2) == WW_OK);
    for (int i = 0; i < N; i++)
        for (int k = 0; k < 4; k++)
            largest[first[i] + k] = fmax(largest[first[i] + k], before[i][k]);
    for (int i = 0; i < N; i++)
        for (int k = 0; k < 4; k++) {
            int is_small = before[i][k] < 1e-2 * largest[first[i] + k];

            assert(value[i][k] == (is_small ? 0.0 : before[i][k]));
            n_changed += value[i][k] != before[i][k];
        }
    assert(n_changed > 0);
    first[0] = M - 3;
    assert(ww_spline_clip(N, first, value, M, 1e-2) == WW_ERR_RANGE);
}

static void
least_squares_finds_the_truth(void)
{
    double x[N], value[N][4], y[N], weight[N], c[M], truth[M], cov[M][M];
    double normal[M][M] = {{0}};
    int32_t first[N];
    uint8_t keep[M];

    make_places(x);
    for (int j = 0; j < M; j++)
        truth[j] = 1.0 + cos(2.0 * j), keep[j] = 1;
    assert(ww_spline_rows(&BASIS, x, N, first, value) == WW_OK);
    assert(ww_spline_sums(&BASIS, x, N, truth, 1, y) == WW_OK);
    for (int i = 0; i < N; i++) {
        weight[i] = 1.0 + i % 7;
        for (int a = 0; a < 4; a++)
            for (int b = 0; b < 4; b++)
                normal[first[i] + a][first[i] + b] +=
                    weight[i] * value[i][a] * value[i][b];
    }
    assert(ww_spline_least_squares(N, first, (const double (*)[4])value, y,
                                   weight, M, 1e-12, keep, c,
                                   &cov[0][0]) == WW_OK);
    for (int j = 0; j < M; j++) {
        assert(keep[j] == 1);
        assert(fabs(c[j] - truth[j]) < 1e-12);
        for (int k = 0; k < M; k++) {
            double sum = 0.0;

            for (int q = 0; q < M; q++)
                sum += normal[j][q] * cov[q][k];
            assert(fabs(sum - (j == k)) < 1e-11);
        }
    }
}

static void
normal_equations_are_sums(void)
{
    double x[N], value[N][4], y[N], weight[N], band[M][4], right[M];
    double normal[M][M] = {{0}}, sum[M] = {0};
    int32_t first[N];

    make_places(x);
    assert(ww_spline_rows(&BASIS, x, N, first, value) == WW_OK);
    for (int i = 0; i < N; i++) {
        y[i] = cos(i), weight[i] = 0.5 + i % 3;
        for (int a = 0; a < 4; a++) {
            sum[first[i] + a] += weight[i] * value[i][a] * y[i];
            for (int b = 0; b < 4; b++)
                normal[first[i] + a][first[i] + b] +=
                    weight[i] * value[i][a] * value[i][b];
        }
    }
    assert(ww_spline_normal(N, first, (const double (*)[4])value, y, weight, M,
                            band, right) == WW_OK);
    for (int j = 0; j < M; j++) {
        assert(fabs(right[j] - sum[j]) < 1e-12);
        for (int k = 0; k < 4; k++)
            assert(fabs(band[j][k] - (j + k < M ? normal[j][j + k] : 0.0)) <
                   1e-12);
    }
    first[3] = M;
    assert(ww_spline_normal(N, first, (const double (*)[4])value, y, weight, M,
                            band, right) == WW_ERR_RANGE);
}

/* Samples in the middle only, without one function that was asked away: the
 * others are as if neither it nor those without samples were there. */
static void
functions_are_left_out(void)
{
    double x[N], value[N][4], y[N], weight[N], c[M], truth[M], cov[M][M];
    int32_t first[N];
    uint8_t keep[M];

    make_places(x);
    for (int j = 0; j < M; j++)
        truth[j] = 2.0 - j, keep[j] = j != 4;
    truth[4] = 0.0;
    assert(ww_spline_rows(&BASIS, x, N, first, value) == WW_OK);
    assert(ww_spline_sums(&BASIS, x, N, truth, 1, y) == WW_OK);
    for (int i = 0; i < N; i++)
        weight[i] = x[i] > -0.4;
    assert(ww_spline_least_squares(N, first, (const double (*)[4])value, y,
                                   weight, M, 1e-12, keep, c,
                                   &cov[0][0]) == WW_OK);
    for (int j = 0; j < M; j++) {
        assert(keep[j] == (j != 4 && j > 0));
        assert(fabs(c[j] - (keep[j] ? truth[j] : 0.0)) < 1e-10);
        for (int k = 0; k < M; k++)
            assert((cov[j][k] == 0.0) == !(keep[j] && keep[k]));
    }
}

static void
nonsense_is_refused(void)
{
    const ww_uniform_basis few = {3, 0.0, 1.0}, empty = {4, 1.0, 1.0},
                           endless = {4, 0.0, INFINITY}, nan = {4, NAN, 1.0};
    double x = 0.5, value[1][4], c[M] = {0}, y = 1.0;
    int32_t first = 0;
    uint8_t keep[M] = {1, 1, 1, 1};

    assert(ww_spline_rows(&few, &x, 1, &first, value) == WW_ERR_ARGUMENT);
    assert(ww_spline_rows(&empty, &x, 1, &first, value) == WW_ERR_ARGUMENT);
    assert(ww_spline_rows(&endless, &x, 1, &first, value) == WW_ERR_ARGUMENT);
    assert(ww_spline_rows(&nan, &x, 1, &first, value) == WW_ERR_ARGUMENT);
    assert(ww_spline_sums(&few, &x, 1, c, 1, &y) == WW_ERR_ARGUMENT);
    assert(ww_spline_rows(&BASIS, &x, 0, &first, value) == WW_OK);
    first = -1;
    assert(ww_spline_least_squares(1, &first, (const double (*)[4])value, &y,
                                   &y, M, 0.0, keep, c, NULL) == WW_ERR_RANGE);
    assert(ww_spline_least_squares(0, &first, (const double (*)[4])value, &y,
                                   &y, 3, 0.0, keep, c, NULL) == WW_ERR_RANGE);
    assert(ww_spline_least_squares(0, &first, (const double (*)[4])value, &y,
                                   &y, 4, 0.0, keep, c, NULL) == WW_OK);
    assert(!keep[0] && !keep[3]);
}

int
main(void)
{
    functions_sum_to_one();
    outside_is_zero_and_nan_is_nan();
    sums_are_rows_times_coefficients();
    clipping_takes_small_values();
    least_squares_finds_the_truth();
    normal_equations_are_sums();
    functions_are_left_out();
    nonsense_is_refused();
    return 0;
}
