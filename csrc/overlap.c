#include "overlap.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "corners.h"
#include "outline.h"

/* A cell is hit when its share |a / J| is above this. The areas
 * are sums of a few terms no larger than the quadrilateral, each rounded to
 * 2^-53 = 1.1e-16 of itself, so the noise of a share is about 1e-16 over
 * the size of the quadrilateral in cells: below this down to sizes of 1e-3.
 * A true overlap this small is of no consequence. */
static const double HIT_SHARE = 1e-12;

/* Beyond this area, the inverse of HIT_SHARE, no cell can be hit, as a <= 1.
 * Such quadrilaterals come from corrupt maps and would cost a loop over the
 * whole grid each. */
static const double AREA_MAX = 1e12;

/* How far a corner can lie outside the range of the centres from which it
 * is made, in units of that range's width: extrapolation along one axis adds
 * h <= 0.5 of the width on either side, so doubles it, and along the other
 * axis h of that: 1.5 in all, and some room for rounding errors. */
static const double CORNER_REACH = 2.0;

/* Longer lines get no scratch, so that its size does not overflow. */
static const size_t LENGTH_MAX = SIZE_MAX / (16 * sizeof(double));

/* Quadrilaterals of more rows of cells are worked on row by row; a pixel of
 * the size of a cell spans up to three. ww_outline_all wants a row more. */
enum { BAND = 4, STEP_ROWS = BAND + 1 };

/* Minima kept side by side: one takes four cycles, and there are up to eight
 * in a vector of the sizes in use. */
enum { LANES = 16 };

/* Entries of a list, more if a row of the grid is longer: it stays in the
 * first-level cache and costs one call per some dozen pixels. */
static const size_t LIST_LENGTH = 256;

/* Cells [first, first + count) of one axis. */
typedef struct {
    size_t first, count;
} span;

/* The smallest and the largest number of a row, which may be infinite; low is
 * not less than high if there is no finite one. */
typedef struct {
    double low, high;
} bounds;

/* The state of one call. The four lines hold the map interpolated to the
 * edges (rows j-h and j+h) of the shrunk pixels of one input row, in cells,
 * with one more element at either end. */
typedef struct {
    const ww_overlap_input *in;
    const ww_overlap_range *range;
    ww_overlap_sink *sink;
    void *context;
    ww_overlap_list list;
    size_t n_entry, capacity;                      /* of the list */
    double *upper_x, *upper_y, *lower_x, *lower_y; /* [in->nx + 2] */
    double *steps; /* [STEP_ROWS * (range->nx + 2)], zero between uses */
} work;

static double
lesser(double a, double b)
{
    return a < b ? a : b;
}

static double
greater(double a, double b)
{
    return a > b ? a : b;
}

/* Running minima wait for one another, so there are several, side by side. */
static bounds
row_bounds(const double *row, size_t n)
{
    double low[LANES], high[LANES];
    size_t i = 0;

    for (size_t k = 0; k < LANES; k++) {
        low[k] = INFINITY;
        high[k] = -INFINITY;
    }
    for (; i + LANES <= n; i += LANES)
        for (size_t k = 0; k < LANES; k++) {
            low[k] = row[i + k] < low[k] ? row[i + k] : low[k];
            high[k] = row[i + k] > high[k] ? row[i + k] : high[k];
        }
    for (; i < n; i++) {
        low[0] = row[i] < low[0] ? row[i] : low[0];
        high[0] = row[i] > high[0] ? row[i] : high[0];
    }
    for (size_t k = 1; k < LANES; k++) {
        low[0] = lesser(low[0], low[k]);
        high[0] = greater(high[0], high[k]);
    }
    return (bounds){low[0], high[0]};
}

/* Signed area, from the cross product of the diagonals. It is not finite if
 * any coordinate is not. */
static double
quad_area(const ww_quad *q)
{
    return 0.5 * ((q->x[2] - q->x[0]) * (q->y[3] - q->y[1]) -
                  (q->x[3] - q->x[1]) * (q->y[2] - q->y[0]));
}

/* The cells of an axis of n cells that four coordinates span. The clipping
 * comes before the conversion, which is undefined for large numbers. */
static span
clipped_span(const double v[4], size_t n)
{
    double low = lesser(lesser(v[0], v[1]), lesser(v[2], v[3]));
    double high = greater(greater(v[0], v[1]), greater(v[2], v[3]));
    span s = {0, 0};

    low = greater(low, 0.0);
    high = lesser(high, (double)n);
    if (low < high) {
        ptrdiff_t first = (ptrdiff_t)low, last = (ptrdiff_t)high;

        s.first = (size_t)first;
        s.count = (size_t)(last - first) + ((double)last < high);
    }
    return s;
}

static void
flush(work *w)
{
    if (w->list.n_entry > 0)
        w->sink(w->context, &w->list);
    w->list.n_entry = 0;
}

/* Make room for so many entries. */
static inline void
make_room(work *w, size_t count)
{
    if (w->list.n_entry + count > w->capacity)
        flush(w);
}

static inline void
add_entry(work *w, size_t pixel, size_t cell, double share)
{
    ww_overlap_list *list = &w->list;

    list->pixel[list->n_entry] = pixel;
    list->cell[list->n_entry] = cell;
    list->share[list->n_entry++] = share;
}

/* Does a pixel have a weight? */
static int
takes_part(const work *w, size_t index)
{
    float weight = w->in->weight[index];

    return weight < 0.0f || weight > 0.0f;
}

/* List the cells of a row of cells from its steps, and clear these. scale
 * is the inverse of the area of the quadrilateral. */
static inline void
list_row(work *w, size_t index, size_t row, span cols, double scale,
         double *steps)
{
    size_t cell = row * w->range->nx + cols.first, count = cols.count;
    double a = 0.0;

    make_room(w, count);
    for (size_t c = 0; c < count; c++) {
        double share;

        a += steps[c];
        steps[c] = 0.0;
        share = a * scale;
        if (fabs(share) > HIT_SHARE)
            add_entry(w, index, cell + c, share);
    }
    steps[count] = 0.0;
    steps[count + 1] = 0.0;
}

/* Does a quadrilateral lie inside so many cells? */
static int
is_inside(const ww_quad *q, size_t n_row, size_t n_column)
{
    double bottom = (double)n_row, right = (double)n_column;

    for (int k = 0; k < 4; k++)
        if (!(q->x[k] >= 0.0 && q->x[k] <= right && q->y[k] >= 0.0 &&
              q->y[k] <= bottom))
            return 0;
    return 1;
}

/* List the cells that the quadrilateral of a pixel overlaps, if the pixel
 * takes part. */
static void
add_quad(work *w, size_t index, ww_quad *q, double area)
{
    const ww_overlap_range *range = w->range;
    span rows = clipped_span(q->y, range->ny), cols;
    size_t start = rows.first, stop = rows.first + rows.count;
    double slope[4], scale = 1.0 / area;

    start = start > range->out_start ? start : range->out_start;
    stop = stop < range->out_stop ? stop : range->out_stop;
    /* Rows come first: in a call for few rows, most pixels end here. */
    if (start >= stop)
        return;
    cols = clipped_span(q->x, range->nx);
    if (cols.count == 0 || !takes_part(w, index))
        return;
    /* Small numbers keep more digits. The origin does not depend on the
     * rows asked for, so the result does not either. */
    for (int k = 0; k < 4; k++) {
        q->x[k] -= (double)cols.first;
        q->y[k] -= (double)rows.first;
    }
    if (rows.count <= BAND && is_inside(q, rows.count, cols.count)) {
        size_t stride = cols.count + 2;

        ww_outline_all(q, stride, w->steps);
        for (size_t r = 0; r < rows.count; r++)
            if (rows.first + r >= start && rows.first + r < stop)
                list_row(w, index, rows.first + r, cols, scale,
                         w->steps + r * stride);
            else
                memset(w->steps + r * stride, 0, stride * sizeof *w->steps);
        return;
    }
    for (int k = 0; k < 4; k++) {
        int next = (k + 1) & 3;
        slope[k] = (q->x[next] - q->x[k]) / (q->y[next] - q->y[k]);
    }
    for (size_t r = start; r < stop; r++) {
        ww_outline_row(q, slope, (double)(r - rows.first), cols.count,
                       w->steps);
        list_row(w, index, r, cols, scale, w->steps);
    }
}

/* Do all corners of the pixel in column i of the lines lie above the rows of
 * cells asked for, or all below? No for numbers that are not finite: corners
 * made of them may be replaced. */
static inline int
is_away(const work *w, size_t i)
{
    const double *ux = w->upper_x + i, *uy = w->upper_y + i;
    const double *lx = w->lower_x + i, *ly = w->lower_y + i;
    double first = (double)w->range->out_start;
    double last = (double)w->range->out_stop;

    if (!((uy[0] < first && uy[1] < first && uy[2] < first && ly[0] < first &&
           ly[1] < first && ly[2] < first) ||
          (uy[0] > last && uy[1] > last && uy[2] > last && ly[0] > last &&
           ly[1] > last && ly[2] > last)))
        return 0;
    return isfinite(ux[0] + ux[1] + ux[2] + lx[0] + lx[1] + lx[2]);
}

static void
add_row_square(work *w, size_t j)
{
    const ww_overlap_input *in = w->in;
    double h = 0.5 * in->pixfrac, c = 1.0 - h;
    size_t start = 0, stop = in->nx;

    ww_corners_line(in->map_x, in->ny, in->nx, j, 0, h, w->upper_x);
    ww_corners_line(in->map_y, in->ny, in->nx, j, 0, h, w->upper_y);
    ww_corners_line(in->map_x, in->ny, in->nx, j, 1, h, w->lower_x);
    ww_corners_line(in->map_y, in->ny, in->nx, j, 1, h, w->lower_y);
    /* In a call for few rows, only a part of the line matters, or none. */
    while (start < stop && is_away(w, start))
        start++;
    while (stop > start && is_away(w, stop - 1))
        stop--;
    for (size_t i = start; i < stop; i++) {
        const double *ux = w->upper_x + i + 1, *uy = w->upper_y + i + 1;
        const double *lx = w->lower_x + i + 1, *ly = w->lower_y + i + 1;
        ww_quad q = {{c * ux[0] + h * ux[-1], c * ux[0] + h * ux[1],
                      c * lx[0] + h * lx[1], c * lx[0] + h * lx[-1]},
                     {c * uy[0] + h * uy[-1], c * uy[0] + h * uy[1],
                      c * ly[0] + h * ly[1], c * ly[0] + h * ly[-1]}};
        double area = quad_area(&q);

        if (!isfinite(area) && in->edge == WW_EDGE_JACOBIAN &&
            ww_corners_repair(in, j, i, &q))
            area = quad_area(&q);
        if (fabs(area) > 0.0 && fabs(area) < AREA_MAX)
            add_quad(w, j * in->nx + i, &q, area);
    }
}

/* The integer nearest to v, halves away from zero, if it is in [0, n). */
static int
nearest_cell(double v, size_t n, size_t *cell)
{
    size_t k;

    if (!(v > -0.5 && v < (double)n - 0.5))
        return 0;
    /* Not v + 0.5, which can round up to the next integer. */
    k = (size_t)(ptrdiff_t)v;
    *cell = k + (v - (double)k >= 0.5);
    return 1;
}

static void
add_row_point(work *w, size_t j)
{
    const ww_overlap_input *in = w->in;
    const ww_overlap_range *range = w->range;

    for (size_t i = 0; i < in->nx; i++) {
        size_t index = j * in->nx + i;
        size_t row, col;

        if (nearest_cell(in->map_y[index], range->ny, &row) &&
            row >= range->out_start && row < range->out_stop &&
            nearest_cell(in->map_x[index], range->nx, &col) &&
            takes_part(w, index)) {
            make_room(w, 1);
            add_entry(w, index, row * range->nx + col, 1.0);
        }
    }
}

static bounds
centre_bounds(const ww_overlap_input *in, size_t j)
{
    return row_bounds(in->map_y + j * in->nx, in->nx);
}

/* Add the input rows asked for that can reach the cells asked for. */
static void
add_rows(work *w)
{
    const ww_overlap_input *in = w->in;
    const ww_overlap_range *range = w->range;
    bounds b[3] = {{INFINITY, -INFINITY}, {INFINITY, -INFINITY}};

    if (range->in_start > 0)
        b[1] = centre_bounds(in, range->in_start - 1);
    b[2] = centre_bounds(in, range->in_start);
    for (size_t j = range->in_start; j < range->in_stop; j++) {
        double low, high, reach;

        b[0] = b[1];
        b[1] = b[2];
        if (j + 1 < in->ny)
            b[2] = centre_bounds(in, j + 1);
        low = lesser(lesser(b[0].low, b[1].low), b[2].low);
        high = greater(greater(b[0].high, b[1].high), b[2].high);
        reach = CORNER_REACH * (high - low);
        /* Half a cell more than the cells themselves, for rounding. */
        if (!(low - reach <= (double)range->out_stop &&
              high + reach >= (double)range->out_start - 1.0))
            continue;
        if (in->kernel == WW_KERNEL_SQUARE)
            add_row_square(w, j);
        else
            add_row_point(w, j);
    }
    flush(w);
}

static int
check_arguments(const ww_overlap_input *in, const ww_overlap_range *range)
{
    if (!in->ny || !in->nx || !range->ny || !range->nx)
        return WW_ERR_SHAPE;
    if (range->in_start > range->in_stop || range->in_stop > in->ny ||
        range->out_start > range->out_stop || range->out_stop > range->ny)
        return WW_ERR_RANGE;
    if ((in->kernel != WW_KERNEL_SQUARE && in->kernel != WW_KERNEL_POINT) ||
        (in->edge != WW_EDGE_JACOBIAN && in->edge != WW_EDGE_SKIP) ||
        !(in->pixfrac > 0.0 && in->pixfrac <= 1.0))
        return WW_ERR_ARGUMENT;
    return WW_OK;
}

int
ww_overlap_visit(const ww_overlap_input *in, const ww_overlap_range *range,
                 ww_overlap_sink *sink, void *context)
{
    work w = {.in = in, .range = range, .sink = sink, .context = context};
    int status = check_arguments(in, range);
    size_t line = in->nx + 2;
    double *lines = NULL;
    size_t *list = NULL;

    if (status != WW_OK || range->in_start == range->in_stop ||
        range->out_start == range->out_stop)
        return status;
    w.capacity = range->nx > LIST_LENGTH ? range->nx : LIST_LENGTH;
    if (in->nx < LENGTH_MAX && range->nx < LENGTH_MAX) {
        lines = calloc(4 * line + STEP_ROWS * (range->nx + 2) + w.capacity,
                       sizeof *lines);
        list = calloc(2 * w.capacity, sizeof *list);
    }
    if (lines != NULL && list != NULL) {
        w.upper_x = lines;
        w.upper_y = w.upper_x + line;
        w.lower_x = w.upper_y + line;
        w.lower_y = w.lower_x + line;
        w.steps = w.lower_y + line;
        w.list.share = w.steps + STEP_ROWS * (range->nx + 2);
        w.list.pixel = list;
        w.list.cell = list + w.capacity;
        add_rows(&w);
    } else
        status = WW_ERR_NOMEM;
    free(lines);
    free(list);
    return status;
}
