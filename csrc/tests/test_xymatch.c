/* Matches by xymatch.h: exact cases of both rules, ties and edges, against
 * all pairs one by one; coincident points; size 0 and 1; every error. */
#undef NDEBUG
#include <assert.h>
#include <math.h>
#include <string.h>

#include "xymatch.h"

enum { N = 70 };

typedef struct {
    size_t n;
    double x[N], y[N];
    uint8_t keep[N];
} points;

static ww_catalogue
catalogue(const points *p, int masked)
{
    return (ww_catalogue){p->n, p->x, p->y, masked ? p->keep : NULL};
}

static int64_t
match_one(double ref_x, double ref_y, size_t n, const double *x,
          const double *y, int rule)
{
    ww_catalogue ref = {1, &ref_x, &ref_y, NULL}, img = {n, x, y, NULL};
    int64_t partner = 99;

    assert(ww_match(&ref, &img, 1.0, rule, &partner) == WW_OK);
    return partner;
}

static void
test_edges_and_ties(void)
{
    double x[4] = {1, -1, 0, 0}, y[4] = {0, 0, 1, -1}, far = 1.1, zero = 0;

    /* All at the tolerance exactly: the lowest index, or the last by y. */
    assert(match_one(0, 0, 4, x, y, WW_MATCH_MUTUAL) == 0);
    assert(match_one(0, 0, 4, x, y, WW_MATCH_NEAREST) == 2);
    assert(match_one(0, 0, 2, x, y, WW_MATCH_NEAREST) == 0);
    /* The window of the peer is open at the lower end. */
    assert(match_one(0, 0, 1, x + 3, y + 3, WW_MATCH_NEAREST) == -1);
    assert(match_one(0, 0, 1, x + 3, y + 3, WW_MATCH_MUTUAL) == 0);
    assert(match_one(0, 0, 1, &far, &zero, WW_MATCH_MUTUAL) == -1);
    assert(match_one(0, 0, 1, &far, &zero, WW_MATCH_NEAREST) == -1);
    assert(match_one(NAN, 0, 4, x, y, WW_MATCH_MUTUAL) == -1);
    assert(match_one(0, 0, 0, NULL, NULL, WW_MATCH_MUTUAL) == -1);
}

static void
test_one_image_point_for_two(void)
{
    double rx[2] = {0, 0.3}, ry[2] = {0, 0}, ix = 0.2, iy = 0;
    ww_catalogue ref = {2, rx, ry, NULL}, img = {1, &ix, &iy, NULL};
    int64_t partner[2];

    assert(ww_match(&ref, &img, 1.0, WW_MATCH_MUTUAL, partner) == WW_OK);
    assert(partner[0] == -1 && partner[1] == 0);
    assert(ww_match(&ref, &img, 1.0, WW_MATCH_NEAREST, partner) == WW_OK);
    assert(partner[0] == 0 && partner[1] == 0);
}

static double
uniform(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state / 4294967296.0;
}

static points
make_points(uint32_t seed, size_t n, double extent)
{
    points p = {.n = n};

    for (size_t i = 0; i < n; i++) {
        p.x[i] = extent * uniform(&seed);
        p.y[i] = extent * uniform(&seed);
        p.keep[i] = uniform(&seed) < 0.8;
    }
    p.x[n / 2] = NAN;
    return p;
}

static double
square(const points *a, size_t i, const points *b, size_t j)
{
    double dx = a->x[i] - b->x[j], dy = a->y[i] - b->y[j];

    return dx * dx + dy * dy;
}

/* The nearest point of b within a tolerance, or -1. */
static int64_t
nearest_of(const points *a, size_t i, const points *b, double tolerance)
{
    int64_t found = -1;

    if (!a->keep[i])
        return -1;
    for (size_t j = 0; j < b->n; j++)
        if (b->keep[j] && square(a, i, b, j) <= tolerance * tolerance &&
            (found < 0 || square(a, i, b, j) < square(a, i, b, (size_t)found)))
            found = (int64_t)j;
    return found;
}

static void
test_all_pairs(void)
{
    static const double extents[3] = {0.5, 10, 300};

    for (int e = 0; e < 3; e++) {
        points a = make_points(3, N, extents[e]);
        points b = make_points(11, N - 9, extents[e]);
        ww_catalogue ref = catalogue(&a, 1), img = catalogue(&b, 1);
        int64_t mutual[N], nearest[N];

        assert(ww_match(&ref, &img, 1, WW_MATCH_MUTUAL, mutual) == WW_OK);
        assert(ww_match(&ref, &img, 1, WW_MATCH_NEAREST, nearest) == WW_OK);
        for (size_t i = 0; i < a.n; i++) {
            int64_t j = nearest_of(&a, i, &b, 1);

            assert(nearest[i] == j);
            if (j >= 0 && nearest_of(&b, (size_t)j, &a, 1) != (int64_t)i)
                j = -1;
            assert(mutual[i] == j);
        }
    }
}

static void
test_isolated(void)
{
    /* A chain 0 - 1 - 2 along y, a lone point, two at one place, a NaN. */
    double x[7] = {0, 0, 0, 9, 5, 5, NAN}, y[7] = {2, 1, 0, 9, 5, 5, 0};
    uint8_t none[7], lowest[7];

    assert(ww_match_isolated(x, y, 7, 1, WW_COINCIDENT_NONE, none) == WW_OK);
    assert(memcmp(none, (uint8_t[]){0, 0, 0, 1, 0, 0, 0}, 7) == 0);
    assert(ww_match_isolated(x, y, 7, 1, WW_COINCIDENT_LOWEST, lowest) ==
           WW_OK);
    assert(memcmp(lowest, (uint8_t[]){1, 0, 1, 1, 1, 0, 0}, 7) == 0);
    assert(ww_match_isolated(x, y, 7, 0, WW_COINCIDENT_NONE, none) == WW_OK);
    assert(memcmp(none, (uint8_t[]){1, 1, 1, 1, 0, 0, 0}, 7) == 0);
    assert(ww_match_isolated(x, y, 1, 1, WW_COINCIDENT_LOWEST, lowest) ==
           WW_OK);
    assert(lowest[0] == 1);
    assert(ww_match_isolated(NULL, NULL, 0, 1, WW_COINCIDENT_NONE, NULL) ==
           WW_OK);
}

static void
test_isolated_all_pairs(void)
{
    points p = make_points(5, N, 12);
    uint8_t keep[N];

    assert(ww_match_isolated(p.x, p.y, N, 1, WW_COINCIDENT_NONE, keep) ==
           WW_OK);
    for (size_t i = 0; i < N; i++) {
        int alone = !isnan(p.x[i]);

        for (size_t j = 0; j < N; j++)
            if (j != i && square(&p, i, &p, j) <= 1)
                alone = 0;
        assert(keep[i] == alone);
    }
}

static void
test_errors(void)
{
    static const double bad[3] = {-1, NAN, INFINITY};
    points p = make_points(5, 4, 1);
    ww_catalogue c = catalogue(&p, 0), none = {0, NULL, NULL, NULL};
    int64_t partner[4];
    uint8_t keep[4];

    for (int i = 0; i < 3; i++) {
        assert(ww_match(&c, &c, bad[i], WW_MATCH_MUTUAL, partner) ==
               WW_ERR_ARGUMENT);
        assert(ww_match_isolated(p.x, p.y, 4, bad[i], WW_COINCIDENT_NONE,
                                 keep) == WW_ERR_ARGUMENT);
    }
    assert(ww_match(&c, &c, 0, WW_MATCH_MUTUAL, partner) == WW_ERR_ARGUMENT);
    assert(ww_match(&c, &c, 1, 2, partner) == WW_ERR_ARGUMENT);
    assert(ww_match_isolated(p.x, p.y, 4, 1, 2, keep) == WW_ERR_ARGUMENT);
    assert(ww_match(&none, &c, 1, WW_MATCH_MUTUAL, NULL) == WW_OK);
}

int
main(void)
{
    test_edges_and_ties();
    test_one_image_point_for_two();
    test_all_pairs();
    test_isolated();
    test_isolated_all_pairs();
    test_errors();
    return 0;
}
