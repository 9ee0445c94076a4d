#include "strips.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int
by_x(const void *left, const void *right)
{
    const ww_strip_point *a = left, *b = right;

    if (a->x != b->x)
        return a->x < b->x ? -1 : 1;
    if (a->y != b->y)
        return a->y < b->y ? -1 : 1;
    return a->index < b->index ? -1 : a->index > b->index;
}

/* Count the finite points and find how far they reach along y. */
static size_t
extent(const double *x, const double *y, size_t n, double *low, double *high)
{
    size_t n_point = 0;

    *low = INFINITY;
    *high = -INFINITY;
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(x[i]) || !isfinite(y[i]))
            continue;
        n_point++;
        *low = fmin(*low, y[i]);
        *high = fmax(*high, y[i]);
    }
    return n_point;
}

int
ww_strips_make(ww_strips *strips, const double *x, const double *y, size_t n,
               double height)
{
    double low, high;
    size_t n_point, n_strip;

    memset(strips, 0, sizeof *strips);
    if (!(height > 0 && isfinite(height)))
        return WW_ERR_ARGUMENT;
    n_point = extent(x, y, n, &low, &high);
    n_strip = 1;
    if (n_point > 0) {
        /* Halves, since the difference of two large numbers may overflow. */
        double half = 0.5 * high - 0.5 * low;

        height = fmax(height, 2.0 * (half / (double)n_point));
        n_strip += (size_t)fmin(2.0 * (half / height), (double)n_point);
    }
    strips->y0 = n_point > 0 ? low : 0.0;
    strips->height = height;
    strips->n_strip = n_strip;
    strips->n_point = n_point;
    strips->start = calloc(n_strip + 2, sizeof *strips->start);
    strips->point = malloc((n_point + 1) * sizeof *strips->point);
    if (strips->start == NULL || strips->point == NULL) {
        ww_strips_free(strips);
        return WW_ERR_NOMEM;
    }
    /* start[s + 1] counts strip s - 1 first, and is where strip s is written
     * to next, so that it ends as the start of strip s + 1. */
    for (size_t i = 0; i < n; i++)
        if (isfinite(x[i]) && isfinite(y[i]))
            strips->start[ww_strips_find(strips, y[i]) + 2]++;
    for (size_t s = 2; s <= n_strip + 1; s++)
        strips->start[s] += strips->start[s - 1];
    for (size_t i = 0; i < n; i++)
        if (isfinite(x[i]) && isfinite(y[i])) {
            size_t s = ww_strips_find(strips, y[i]);

            strips->point[strips->start[s + 1]++] =
                (ww_strip_point){.x = x[i], .y = y[i], .index = i};
        }
    for (size_t s = 0; s < n_strip; s++)
        qsort(strips->point + strips->start[s],
              strips->start[s + 1] - strips->start[s], sizeof *strips->point,
              by_x);
    return WW_OK;
}

void
ww_strips_free(ww_strips *strips)
{
    free(strips->start);
    free(strips->point);
    strips->start = NULL;
    strips->point = NULL;
}

size_t
ww_strips_find(const ww_strips *strips, double y)
{
    double s = (y - strips->y0) / strips->height;

    if (!(s > 0))
        return 0;
    return s < (double)strips->n_strip ? (size_t)s : strips->n_strip - 1;
}

int
ww_strips_beside(const ww_strips *strips, size_t s, const ww_strips *others,
                 double wide, size_t *first, size_t *last)
{
    double bottom = strips->y0 + (double)s * strips->height;
    double top = bottom + strips->height;

    *first = ww_strips_find(others, bottom - wide);
    *last = ww_strips_find(others, top + wide);
    *first -= *first > 0;
    *last += *last + 1 < others->n_strip;
    return strips->start[s] < strips->start[s + 1];
}

size_t
ww_strips_from(const ww_strips *strips, size_t begin, size_t end, double x)
{
    while (begin < end) {
        size_t middle = begin + (end - begin) / 2;

        if (strips->point[middle].x < x)
            begin = middle + 1;
        else
            end = middle;
    }
    return begin;
}
