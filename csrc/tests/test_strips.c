/* Strips by strips.h: every point in one place, sorted, found again; extremes
 * of coordinates; size 0 and 1; every error. */
#undef NDEBUG
#include <assert.h>
#include <math.h>

#include "strips.h"

enum { N = 12 };

static const double X[N] = {3, 1, 2, NAN, 5, 4, 0, 7, 6, 9, 8, 1};
static const double Y[N] = {0, 0.5,      1, 1,    2.5, 2.9,
                            3, INFINITY, 4, 9.99, 10,  0.5};

static void
test_points_are_sorted(double height)
{
    ww_strips s;
    int seen[N] = {0};

    assert(ww_strips_make(&s, X, Y, N, height) == WW_OK);
    assert(s.n_point == N - 2);
    assert(s.n_strip >= 1 && s.n_strip <= N);
    assert(s.height >= height);
    assert(s.start[0] == 0 && s.start[s.n_strip] == N - 2);
    for (size_t strip = 0; strip < s.n_strip; strip++)
        for (size_t i = s.start[strip]; i < s.start[strip + 1]; i++) {
            const ww_strip_point *p = &s.point[i];

            assert(p->x == X[p->index] && p->y == Y[p->index]);
            assert(ww_strips_find(&s, p->y) == strip);
            assert(i == s.start[strip] || s.point[i - 1].x <= p->x);
            seen[p->index]++;
        }
    for (int i = 0; i < N; i++)
        assert(seen[i] == (i != 3 && i != 7));
    ww_strips_free(&s);
}

static void
test_order_of_equal_points(void)
{
    static const double x[4] = {1, 1, 1, 1}, y[4] = {2, 0, 2, 0};
    static const size_t order[4] = {1, 3, 0, 2};
    ww_strips s;

    assert(ww_strips_make(&s, x, y, 4, 100) == WW_OK);
    assert(s.n_strip == 1);
    for (int i = 0; i < 4; i++)
        assert(s.point[i].index == order[i]);
    ww_strips_free(&s);
}

static void
test_find_and_from(void)
{
    static const double x[3] = {1, 2, 3}, y[3] = {10, 10, 13};
    ww_strips s;

    assert(ww_strips_make(&s, x, y, 3, 1) == WW_OK);
    assert(s.n_strip == 4);
    assert(ww_strips_find(&s, -1e300) == 0 && ww_strips_find(&s, 1e300) == 3);
    assert(ww_strips_find(&s, 10) == 0 && ww_strips_find(&s, 12.5) == 2);
    assert(ww_strips_from(&s, 0, 2, 0.5) == 0);
    assert(ww_strips_from(&s, 0, 2, 1) == 0);
    assert(ww_strips_from(&s, 0, 2, 1.5) == 1);
    assert(ww_strips_from(&s, 0, 2, 2.5) == 2);
    assert(ww_strips_from(&s, 1, 1, 0) == 1);
    ww_strips_free(&s);
}

static void
test_strips_beside(void)
{
    static const double x[3] = {1, 2, 3}, y[3] = {10, 10, 17};
    static const double other_y[2] = {0, 19};
    size_t first, last;
    ww_strips s, others;

    assert(ww_strips_make(&s, x, y, 3, 3.5) == WW_OK); /* from 10, 13.5, 17 */
    assert(ww_strips_make(&others, x, other_y, 2, 10) == WW_OK); /* 0, 10 */
    assert(s.n_strip == 3 && others.n_strip == 2);
    assert(ww_strips_beside(&s, 0, &others, 1, &first, &last));
    assert(first == 0 && last == 1);
    assert(!ww_strips_beside(&s, 1, &others, 1, &first, &last));
    assert(ww_strips_beside(&others, 0, &s, 0, &first, &last));
    assert(first == 0 && last == 1); /* up to 10, and one more */
    assert(ww_strips_beside(&others, 1, &s, 3.6, &first, &last));
    assert(first == 0 && last == 2);
    ww_strips_free(&s);
    ww_strips_free(&others);
}

static void
test_extremes(void)
{
    static const double x[3] = {0, 1, 2}, y[3] = {-1.7e308, 0, 1.7e308};
    ww_strips s;

    assert(ww_strips_make(&s, x, y, 3, 1e-300) == WW_OK);
    assert(s.n_strip >= 1 && s.n_strip <= 4 && s.n_point == 3);
    assert(s.start[s.n_strip] == 3);
    ww_strips_free(&s);
    assert(ww_strips_make(&s, x, y, 1, 1) == WW_OK);
    assert(s.n_strip == 1 && s.n_point == 1);
    ww_strips_free(&s);
    assert(ww_strips_make(&s, NULL, NULL, 0, 1) == WW_OK);
    assert(s.n_strip == 1 && s.n_point == 0 && s.start[1] == 0);
    ww_strips_free(&s);
}

static void
test_errors(void)
{
    static const double bad[4] = {0, -1, NAN, INFINITY};
    ww_strips s;

    for (int i = 0; i < 4; i++) {
        assert(ww_strips_make(&s, X, Y, N, bad[i]) == WW_ERR_ARGUMENT);
        ww_strips_free(&s);
    }
}

int
main(void)
{
    test_points_are_sorted(1.0);
    test_points_are_sorted(1e-6);
    test_points_are_sorted(100.0);
    test_order_of_equal_points();
    test_find_and_from();
    test_strips_beside();
    test_extremes();
    test_errors();
    return 0;
}
