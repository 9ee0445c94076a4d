#include "xymatch.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "strips.h"

/* The windows are this much wider than the exact test that follows, so that
 * rounding of their edges decides nothing. */
#define SLACK (1.0 + 1e-9)

/* The nearest point found so far. */
typedef struct {
    double square; /* of the distance; the square of the tolerance at first */
    int64_t index; /* -1 if there is none */
    size_t place;  /* in the strips */
} nearest;

typedef struct {
    const ww_catalogue *ref, *img;
    ww_strips ref_strips, img_strips;
    double tolerance;
    int rule;
    nearest *of_ref, *of_img; /* of_img for WW_MATCH_MUTUAL only */
} work;

/* Whether a point comes later than another in the order of (y, x). */
static int
is_later(const ww_strip_point *a, const ww_strip_point *b)
{
    if (a->y != b->y)
        return a->y > b->y;
    if (a->x != b->x)
        return a->x > b->x;
    return a->index > b->index;
}

/* Keep the nearer of two, and the one of lower index if there is no nearer. */
static void
keep_nearest(nearest *best, double square, size_t index)
{
    if (square < best->square || best->index < 0 ||
        (square <= best->square && (int64_t)index < best->index)) {
        best->square = square;
        best->index = (int64_t)index;
    }
}

static void
visit_pair(work *w, const ww_strip_point *ref, size_t place)
{
    const ww_strip_point *img = &w->img_strips.point[place];
    double dx = ref->x - img->x, dy = ref->y - img->y;
    double square = dx * dx + dy * dy;
    nearest *best = &w->of_ref[ref->index];

    if (square > w->tolerance * w->tolerance)
        return;
    if (w->img->keep != NULL && !w->img->keep[img->index])
        return;
    if (w->rule == WW_MATCH_MUTUAL) {
        keep_nearest(best, square, img->index);
        keep_nearest(&w->of_img[img->index], square, ref->index);
        return;
    }
    if (!(dy < w->tolerance && dy >= -w->tolerance))
        return;
    if (best->index < 0 || square < best->square ||
        (square <= best->square &&
         is_later(img, &w->img_strips.point[best->place])))
        *best = (nearest){square, (int64_t)img->index, place};
}

/* Visit the pairs of one strip of references with one of the image. */
static void
visit_strips(work *w, size_t ref_strip, size_t img_strip)
{
    const ww_strips *ref = &w->ref_strips, *img = &w->img_strips;
    double wide = w->tolerance * SLACK;
    size_t stop = img->start[img_strip + 1], low = img->start[img_strip];

    for (size_t r = ref->start[ref_strip]; r < ref->start[ref_strip + 1];
         r++) {
        const ww_strip_point *point = &ref->point[r];

        if (w->ref->keep != NULL && !w->ref->keep[point->index])
            continue;
        while (low < stop && img->point[low].x - point->x < -wide)
            low++;
        for (size_t i = low; i < stop && img->point[i].x - point->x <= wide;
             i++)
            visit_pair(w, point, i);
    }
}

static void
visit_all(work *w)
{
    double wide = w->tolerance * SLACK;

    for (size_t s = 0; s < w->ref_strips.n_strip; s++) {
        size_t first, last;

        if (!ww_strips_beside(&w->ref_strips, s, &w->img_strips, wide, &first,
                              &last))
            continue;
        for (size_t t = first; t <= last; t++)
            visit_strips(w, s, t);
    }
}

static void
write_partners(const work *w, int64_t *partner)
{
    for (size_t r = 0; r < w->ref->n; r++) {
        int64_t index = w->of_ref[r].index;

        if (w->rule == WW_MATCH_MUTUAL && index >= 0 &&
            w->of_img[index].index != (int64_t)r)
            index = -1;
        partner[r] = index;
    }
}

int
ww_match(const ww_catalogue *ref, const ww_catalogue *img, double tolerance,
         int rule, int64_t *partner)
{
    work w = {.ref = ref, .img = img, .tolerance = tolerance, .rule = rule};
    size_t n = ref->n + img->n;
    nearest *scratch;
    int status;

    if (!(tolerance > 0 && isfinite(tolerance)))
        return WW_ERR_ARGUMENT;
    if (rule != WW_MATCH_MUTUAL && rule != WW_MATCH_NEAREST)
        return WW_ERR_ARGUMENT;
    scratch = malloc((n + 1) * sizeof *scratch);
    if (scratch == NULL)
        return WW_ERR_NOMEM;
    for (size_t i = 0; i < n; i++)
        scratch[i] = (nearest){.square = DBL_MAX, .index = -1};
    w.of_ref = scratch;
    w.of_img = scratch + ref->n;
    status = ww_strips_make(&w.ref_strips, ref->x, ref->y, ref->n, tolerance);
    if (status == WW_OK)
        status =
            ww_strips_make(&w.img_strips, img->x, img->y, img->n, tolerance);
    if (status == WW_OK && w.ref_strips.n_point && w.img_strips.n_point)
        visit_all(&w);
    if (status == WW_OK)
        write_partners(&w, partner);
    ww_strips_free(&w.ref_strips);
    ww_strips_free(&w.img_strips);
    free(scratch);
    return status;
}

/* Whether a point has another within a separation: any other, or one that is
 * kept. */
static int
has_neighbour(const ww_strips *strips, const ww_strip_point *point,
              double separation, const uint8_t *kept)
{
    double wide = separation * SLACK;
    double from = point->x - wide - fabs(point->x) * DBL_EPSILON;
    size_t s = ww_strips_find(strips, point->y - wide);
    size_t last = ww_strips_find(strips, point->y + wide);

    /* One strip more on either side, for the rounding of the edges. */
    s -= s > 0;
    last += last + 1 < strips->n_strip;
    for (; s <= last; s++) {
        size_t stop = strips->start[s + 1];
        size_t i = ww_strips_from(strips, strips->start[s], stop, from);

        for (; i < stop && strips->point[i].x - point->x <= wide; i++) {
            const ww_strip_point *other = &strips->point[i];
            double dx = other->x - point->x, dy = other->y - point->y;

            if (other->index == point->index ||
                dx * dx + dy * dy > separation * separation)
                continue;
            if (kept == NULL || kept[other->index])
                return 1;
        }
    }
    return 0;
}

static int
by_y_x(const void *left, const void *right)
{
    const ww_strip_point *a = left, *b = right;

    return is_later(a, b) - is_later(b, a);
}

/* Write keep by the rule of the lowest point. */
static int
keep_lowest(const ww_strips *strips, double separation, uint8_t *keep)
{
    ww_strip_point *order =
        malloc((strips->n_point + 1) * sizeof *strips->point);

    if (order == NULL)
        return WW_ERR_NOMEM;
    for (size_t i = 0; i < strips->n_point; i++)
        order[i] = strips->point[i];
    qsort(order, strips->n_point, sizeof *order, by_y_x);
    for (size_t i = 0; i < strips->n_point; i++)
        keep[order[i].index] =
            !has_neighbour(strips, &order[i], separation, keep);
    free(order);
    return WW_OK;
}

int
ww_match_isolated(const double *x, const double *y, size_t n,
                  double separation, int rule, uint8_t *keep)
{
    ww_strips strips;
    int status;

    if (!(separation >= 0 && isfinite(separation)))
        return WW_ERR_ARGUMENT;
    if (rule != WW_COINCIDENT_NONE && rule != WW_COINCIDENT_LOWEST)
        return WW_ERR_ARGUMENT;
    /* Any height will do where only points at one place are near. */
    status = ww_strips_make(&strips, x, y, n,
                            separation > 0 ? separation : DBL_MIN);
    if (status != WW_OK)
        return status;
    for (size_t i = 0; i < n; i++)
        keep[i] = 0;
    if (rule == WW_COINCIDENT_LOWEST)
        status = keep_lowest(&strips, separation, keep);
    else
        for (size_t i = 0; i < strips.n_point; i++)
            keep[strips.point[i].index] =
                !has_neighbour(&strips, &strips.point[i], separation, NULL);
    ww_strips_free(&strips);
    return status;
}
