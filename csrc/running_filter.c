#include "running_filter.h"

#include <stdlib.h>

/* Positions are counted in int32_t, from one window before the first sample to
 * one behind the last. */
static const size_t MOST_SAMPLES = INT32_MAX / 4;

/* The sample at an offset from the place one window before the first: number
 * offset - width / 2 of the sequence with its mirror images. */
static size_t
sample_at(size_t offset, size_t n, size_t width)
{
    size_t period = 2 * n, before = width / 2, at;

    if (offset >= before && offset - before < n) /* no division needed */
        return offset - before;
    at = (offset % period + period - before % period) % period;
    return at < n ? at : period - 1 - at;
}

static int
are_sizes(size_t n, size_t width)
{
    return width > 0 && width <= MOST_SAMPLES && n <= MOST_SAMPLES;
}

int
ww_running_maximum(const double *value, size_t n, size_t width, double *out)
{
    size_t head = 0, tail = 0, *queue;

    if (!are_sizes(n, width))
        return WW_ERR_ARGUMENT;
    if (n == 0)
        return WW_OK;
    /* Offsets in the window whose values descend: the first is the largest. */
    queue = malloc((n + width) * sizeof *queue);
    if (!queue)
        return WW_ERR_NOMEM;
    for (size_t offset = 0; offset + 1 < n + width; offset++) {
        double x = value[sample_at(offset, n, width)];

        while (tail > head && value[sample_at(queue[tail - 1], n, width)] <= x)
            tail--;
        queue[tail++] = offset;
        if (offset + 1 < width)
            continue;
        if (queue[head] + width <= offset)
            head++;
        out[offset + 1 - width] = value[sample_at(queue[head], n, width)];
    }
    free(queue);
    return WW_OK;
}

/* A tree of sums (Fenwick 1994, Software: Practice and Experience 24, 327):
 * sum[i] counts what is at the places (i - lowest bit of i, i], from 1. */
static void
count(int32_t *sum, size_t n, size_t place, int32_t change)
{
    for (size_t i = place + 1; i <= n; i += i & (~i + 1))
        sum[i] += change;
}

/* The place of the element with a rank. */
static size_t
find_rank(const int32_t *sum, size_t n, size_t top, size_t rank)
{
    int32_t left = (int32_t)rank;
    size_t at = 0;

    for (size_t step = top; step; step /= 2)
        if (at + step <= n && sum[at + step] <= left) {
            at += step;
            left -= sum[at];
        }
    return at;
}

static int
are_below(const int32_t *place, size_t n, const size_t *rank, size_t n_rank,
          size_t width)
{
    for (size_t k = 0; k < n_rank; k++)
        if (rank[k] >= width)
            return 0;
    for (size_t i = 0; i < n; i++)
        if (place[i] < 0 || (size_t)place[i] >= n)
            return 0;
    return 1;
}

int
ww_running_ranks(const int32_t *place, const double *ascending, size_t n,
                 size_t width, const size_t *rank, size_t n_rank, double *out)
{
    size_t top = 1;
    int32_t *sum;

    if (!are_sizes(n, width))
        return WW_ERR_ARGUMENT;
    if (!are_below(place, n, rank, n_rank, width))
        return WW_ERR_RANGE;
    if (n == 0)
        return WW_OK;
    sum = calloc(n + 1, sizeof *sum);
    if (!sum)
        return WW_ERR_NOMEM;
    while (2 * top <= n)
        top *= 2;
    for (size_t offset = 0; offset + 1 < n + width; offset++) {
        size_t i = offset + 1 - width;

        count(sum, n, (size_t)place[sample_at(offset, n, width)], 1);
        if (offset + 1 < width)
            continue;
        for (size_t k = 0; k < n_rank; k++)
            out[k * n + i] = ascending[find_rank(sum, n, top, rank[k])];
        count(sum, n, (size_t)place[sample_at(i, n, width)], -1);
    }
    free(sum);
    return WW_OK;
}
