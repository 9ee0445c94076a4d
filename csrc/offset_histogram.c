#include "offset_histogram.h"

#include <math.h>

#include "strips.h"

/* Strips per reach: few enough that walking them costs nothing, many enough
 * that a fifth more pairs are looked at than lie in the square. */
#define STRIPS_PER_REACH 4.0

/* The windows are this much wider than the exact test that follows, so that
 * rounding of their edges decides nothing. */
#define SLACK (1.0 + 1e-9)

/* Within this distance of an edge [cells] the definition is computed to the
 * last digit; the short way is good to 1e-12 even with a million cells. */
#define NEAR_EDGE 1e-9

/* The state of one call. */
typedef struct {
    const ww_offset_pairs *pairs;
    ww_strips ref, img;
    uint32_t *count;
} work;

/* Count a pair by the definition. */
static void
count_exactly(const work *w, double dx, double dy)
{
    double reach = w->pairs->reach, half = 0.5 * (double)w->pairs->size;
    size_t column, row;

    dx /= w->pairs->bin;
    dy /= w->pairs->bin;
    if (!(dx >= -reach && dx < reach && dy >= -reach && dy < reach))
        return;
    column = (size_t)(dx + half);
    row = (size_t)(dy + half);
    /* The sum may have been rounded up to an edge; edges are exact. */
    column -= dx < (double)column - half;
    row -= dy < (double)row - half;
    w->count[row * w->pairs->size + column]++;
}

/* Count the pairs of one reference point with a run of image points: with a
 * multiplication, except near the edges of cells and of the square. */
static void
count_run(const work *w, const ww_strip_point *ref, const ww_strip_point *img,
          size_t n)
{
    double per_bin = 1.0 / w->pairs->bin;
    double half = 0.5 * (double)w->pairs->size;
    double inner = w->pairs->reach - NEAR_EDGE;
    double outer = w->pairs->reach + NEAR_EDGE;
    size_t size = w->pairs->size;
    uint32_t *count = w->count;

    for (size_t i = 0; i < n; i++) {
        double dx = img[i].x - ref->x, dy = img[i].y - ref->y;
        double x = dx * per_bin, y = dy * per_bin, from_x, from_y;
        int32_t column, row;

        if (fabs(y) > outer) /* a strip may be much higher than the square */
            continue;
        /* int32_t, since the conversion of wider numbers is slow. */
        column = (int32_t)(x + half);
        row = (int32_t)(y + half);
        from_x = fabs(x + half - column - 0.5);
        from_y = fabs(y + half - row - 0.5);
        if ((fabs(x) < inner) & (fabs(y) < inner) &
            (from_x < 0.5 - NEAR_EDGE) & (from_y < 0.5 - NEAR_EDGE))
            count[(size_t)row * size + (size_t)column]++;
        else
            count_exactly(w, dx, dy);
    }
}

/* Count the pairs of one strip of references with one of the image. */
static void
count_strips(const work *w, size_t ref_strip, size_t img_strip)
{
    double wide = w->pairs->reach * w->pairs->bin * SLACK;
    const ww_strip_point *point = w->img.point;
    size_t stop = w->img.start[img_strip + 1];
    size_t low = w->img.start[img_strip], high = low;

    for (size_t r = w->ref.start[ref_strip]; r < w->ref.start[ref_strip + 1];
         r++) {
        double x = w->ref.point[r].x;

        while (low < stop && point[low].x - x < -wide)
            low++;
        if (high < low)
            high = low;
        while (high < stop && point[high].x - x <= wide)
            high++;
        count_run(w, &w->ref.point[r], point + low, high - low);
    }
}

static void
count_all(const work *w)
{
    double wide = w->pairs->reach * w->pairs->bin * SLACK;

    for (size_t s = 0; s < w->ref.n_strip; s++) {
        size_t first, last;

        if (!ww_strips_beside(&w->ref, s, &w->img, wide, &first, &last))
            continue;
        for (size_t t = first; t <= last; t++)
            count_strips(w, s, t);
    }
}

static int
check(const ww_offset_pairs *p, size_t ref_start, size_t ref_stop)
{
    if (p->size % 2 == 0 || p->size > INT32_MAX)
        return WW_ERR_SHAPE;
    if (!(p->bin > 0 && isfinite(p->bin) && p->reach > 0 &&
          p->reach <= 0.5 * (double)p->size))
        return WW_ERR_ARGUMENT;
    if (ref_start > ref_stop || ref_stop > p->n_ref)
        return WW_ERR_RANGE;
    if (p->n_img > 0 && ref_stop - ref_start > UINT32_MAX / p->n_img)
        return WW_ERR_RANGE;
    return WW_OK;
}

int
ww_offset_histogram(const ww_offset_pairs *pairs, size_t ref_start,
                    size_t ref_stop, uint32_t *count)
{
    work w = {.pairs = pairs, .count = count};
    int status = check(pairs, ref_start, ref_stop);
    double height;

    if (status != WW_OK || ref_start == ref_stop || pairs->n_img == 0)
        return status;
    height = pairs->reach * pairs->bin / STRIPS_PER_REACH;
    status =
        ww_strips_make(&w.ref, pairs->ref_x + ref_start,
                       pairs->ref_y + ref_start, ref_stop - ref_start, height);
    if (status == WW_OK)
        status = ww_strips_make(&w.img, pairs->img_x, pairs->img_y,
                                pairs->n_img, height);
    if (status == WW_OK && w.ref.n_point > 0 && w.img.n_point > 0)
        count_all(&w);
    ww_strips_free(&w.ref);
    ww_strips_free(&w.img);
    return status;
}
