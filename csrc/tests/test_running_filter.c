/* Running filters by running_filter.h, against the window put in order. */
#undef NDEBUG
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "running_filter.h"

enum { MOST = 64, N_RANK = 3 };

static int
compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* The window of sample i in order, by walking back and forth. */
static void
window_of(const double *value, int n, int width, int i, double *window)
{
    for (int k = 0; k < width; k++) {
        int j = i - width / 2 + k;

        while (j < 0 || j >= n)
            j = j < 0 ? -1 - j : 2 * n - 1 - j;
        window[k] = value[j];
    }
    qsort(window, (size_t)width, sizeof *window, compare);
}

static void
set_places(const double *value, int n, int32_t *place, double *ascending)
{
    for (int i = 0; i < n; i++) {
        place[i] = 0;
        for (int j = 0; j < n; j++)
            place[i] += value[j] < value[i] || (value[j] == value[i] && j < i);
        ascending[place[i]] = value[i];
    }
}

static void
check(const double *value, int n, int width)
{
    double window[4 * MOST], ascending[MOST], largest[MOST];
    double out[N_RANK][MOST], packed[N_RANK * MOST];
    size_t rank[N_RANK] = {0, (size_t)width / 2, (size_t)width - 1};
    int32_t place[MOST];

    set_places(value, n, place, ascending);
    assert(ww_running_maximum(value, (size_t)n, (size_t)width, largest) ==
           WW_OK);
    assert(ww_running_ranks(place, ascending, (size_t)n, (size_t)width, rank,
                            N_RANK, packed) == WW_OK);
    for (int k = 0; k < N_RANK; k++)
        memcpy(out[k], packed + k * n, (size_t)n * sizeof(double));
    for (int i = 0; i < n; i++) {
        window_of(value, n, width, i, window);
        assert(largest[i] == window[width - 1]);
        for (int k = 0; k < N_RANK; k++)
            assert(out[k][i] == window[rank[k]]);
    }
}

static void
every_width_and_length(void)
{
    double value[MOST];
    unsigned state = 1;

    for (int i = 0; i < MOST; i++) {
        state = state * 1103515245u + 12345u;
        value[i] = (double)((state >> 16) % 23u); /* some are alike */
    }
    for (int n = 1; n <= MOST; n += n < 6 ? 1 : 19)
        for (int width = 1; width <= 3 * MOST; width += width < 9 ? 1 : 13)
            check(value, n, width);
}

static void
infinities_are_values(void)
{
    const double value[5] = {0.0, INFINITY, -INFINITY, 3.0, INFINITY};

    for (int width = 1; width < 12; width++)
        check(value, 5, width);
}

static void
nonsense_is_refused(void)
{
    double value[2] = {1.0, 2.0}, out[2];
    int32_t place[2] = {0, 1};
    size_t rank = 0, high = 3;

    assert(ww_running_maximum(value, 2, 0, out) == WW_ERR_ARGUMENT);
    assert(ww_running_maximum(value, 2, SIZE_MAX, out) == WW_ERR_ARGUMENT);
    assert(ww_running_maximum(value, 0, 3, out) == WW_OK);
    assert(ww_running_ranks(place, value, 2, 0, &rank, 1, out) ==
           WW_ERR_ARGUMENT);
    assert(ww_running_ranks(place, value, 2, 3, &high, 1, out) ==
           WW_ERR_RANGE);
    assert(ww_running_ranks(place, value, 0, 3, &rank, 1, out) == WW_OK);
    place[1] = 2;
    assert(ww_running_ranks(place, value, 2, 3, &rank, 1, out) ==
           WW_ERR_RANGE);
    place[1] = -1;
    assert(ww_running_ranks(place, value, 2, 3, &rank, 1, out) ==
           WW_ERR_RANGE);
}

int
main(void)
{
    every_width_and_length();
    infinities_are_values();
    nonsense_is_refused();
    return 0;
}
