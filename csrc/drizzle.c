#include "drizzle.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

/* A cell is hit when its share |g / w| = |a / J| is above this. The areas
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
static const size_t LENGTH_MAX = SIZE_MAX / (8 * sizeof(double));

/* A quadrilateral, corners in cyclic order: (-,-), (+,-), (+,+), (-,+) in
 * the input frame. Coordinates are in cells: cell k covers [k, k+1]. */
typedef struct {
    double x[4], y[4];
} quad;

/* Cells [first, first + count) of one axis. */
typedef struct {
    size_t first, count;
} span;

/* The smallest and the largest finite number of a row; low > high if there
 * is none. */
typedef struct {
    double low, high;
} bounds;

/* What add_to_cell needs of an input pixel, besides work.value. */
typedef struct {
    double weight;
    uint32_t dq;
} pixel;

/* The state of one call. The four lines hold the map interpolated to the
 * edges (rows j-h and j+h) of the shrunk pixels of one input row, in cells,
 * with one more element at either end. */
typedef struct {
    const ww_drizzle_input *in;
    const ww_drizzle_output *out;
    size_t row_start, row_stop;
    double *upper_x, *upper_y, *lower_x, *lower_y; /* [in->nx + 2] */
    double *steps; /* [out->nx + 2], zero between uses; see add_line */
    double *value; /* [in->n_plane] of the current pixel */
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

/* Branches, not running minima: those would wait for one another. */
static bounds
row_bounds(const double *row, size_t n)
{
    bounds b = {INFINITY, -INFINITY};

    for (size_t i = 0; i < n; i++) {
        if (row[i] < b.low && row[i] >= -DBL_MAX)
            b.low = row[i];
        if (row[i] > b.high && row[i] <= DBL_MAX)
            b.high = row[i];
    }
    return b;
}

/* line[1..nx] = map of row j at the fraction h of the way to the row beside
 * it, in cells; line[0] and line[nx+1] continue it linearly. Where there is
 * no row beside, the one on the other side is mirrored through row j, which
 * makes the interpolation an extrapolation. */
static void
interpolate_line(const double *map, size_t ny, size_t nx, size_t j, int below,
                 double h, double *line)
{
    const double *row = map + j * nx;
    const double *up = j > 0 ? row - nx : NULL;
    const double *down = j + 1 < ny ? row + nx : NULL;
    const double *beside = below ? down : up;
    const double *mirror = below ? up : down;

    line++;
    if (beside != NULL)
        for (size_t i = 0; i < nx; i++)
            line[i] = (1.0 - h) * row[i] + h * beside[i] + 0.5;
    else if (mirror != NULL)
        for (size_t i = 0; i < nx; i++)
            line[i] = (1.0 + h) * row[i] - h * mirror[i] + 0.5;
    else
        for (size_t i = 0; i < nx; i++)
            line[i] = (double)NAN;
    line[-1] = nx > 1 ? 2.0 * line[0] - line[1] : (double)NAN;
    line[nx] = nx > 1 ? 2.0 * line[nx - 1] - line[nx - 2] : (double)NAN;
}

static int
is_mapped(const ww_drizzle_input *in, size_t index)
{
    return isfinite(in->map_x[index]) && isfinite(in->map_y[index]);
}

/* The step of the map along one axis of the input, towards side: from the
 * neighbour on that side, or else from the other one. Neighbours lie stride
 * apart; before and after tell whether they exist. Returns 0 if neither is
 * mapped. */
static int
one_sided_step(const ww_drizzle_input *in, size_t index, size_t stride,
               int before, int after, int side, double step[2])
{
    int has[2] = {before && is_mapped(in, index - stride),
                  after && is_mapped(in, index + stride)};
    int use = side > 0 ? has[1] : !has[0];
    size_t to = use ? index + stride : index;

    if (!has[use])
        return 0;
    step[0] = in->map_x[to] - in->map_x[to - stride];
    step[1] = in->map_y[to] - in->map_y[to - stride];
    return 1;
}

/* WW_EDGE_JACOBIAN: replace the corners that are not finite by what the
 * derivatives of the map at the pixel give. Returns 0 if that fails. */
static int
repair_corners(const ww_drizzle_input *in, size_t j, size_t i, quad *q)
{
    static const int side_x[4] = {-1, 1, 1, -1};
    static const int side_y[4] = {-1, -1, 1, 1};
    size_t index = j * in->nx + i;
    double h = 0.5 * in->pixfrac;

    if (!is_mapped(in, index))
        return 0;
    for (int k = 0; k < 4; k++) {
        double dx[2], dy[2];

        if (isfinite(q->x[k]) && isfinite(q->y[k]))
            continue;
        if (!one_sided_step(in, index, 1, i > 0, i + 1 < in->nx, side_x[k],
                            dx) ||
            !one_sided_step(in, index, in->nx, j > 0, j + 1 < in->ny,
                            side_y[k], dy))
            return 0;
        q->x[k] = in->map_x[index] +
                  h * (side_x[k] * dx[0] + side_y[k] * dy[0]) + 0.5;
        q->y[k] = in->map_y[index] +
                  h * (side_x[k] * dx[1] + side_y[k] * dy[1]) + 0.5;
    }
    return 1;
}

/* Signed area, from the cross product of the diagonals. It is not finite if
 * any coordinate is not. */
static double
quad_area(const quad *q)
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

/* Add to the steps of one row of cells what lies to the right of a line
 * that spans dy in y while x goes from a to b. The area in cell c is the sum
 * of steps[0..c]; x is counted from the first cell. What is left of the
 * cells counts in full, what is right of them not at all. */
static void
add_line(double *steps, size_t count, double a, double b, double dy)
{
    double left = lesser(a, b);
    double right = greater(a, b);
    double width = (double)count;
    double slope, edge, part, area;
    ptrdiff_t c;

    if (!(left >= 0.0)) { /* or not a number, from an overflow */
        part = right > 0.0 ? dy * (left / (left - right)) : dy;
        steps[0] += part;
        dy -= part;
        left = 0.0;
        if (!(right > 0.0))
            return;
    }
    if (right > width) {
        if (!(left < width))
            return;
        dy *= (width - left) / (right - left);
        right = width;
    }
    c = (ptrdiff_t)left;
    edge = (double)c + 1.0;
    if (right > edge) {
        slope = dy / (right - left);
        part = slope * (edge - left);
        area = 0.5 * part * (edge - left);
        steps[c] += area;
        steps[c + 1] += part - area;
        dy -= part;
        for (c++, edge += 1.0; right > edge; c++, edge += 1.0) {
            steps[c] += 0.5 * slope;
            steps[c + 1] += 0.5 * slope;
            dy -= slope;
        }
        left = edge - 1.0;
    }
    area = dy * (edge - 0.5 * (left + right));
    steps[c] += area;
    steps[c + 1] += dy - area;
}

/* Add to the steps (see add_line) the overlap of a quadrilateral with the
 * row of cells [row, row + 1]. */
static void
add_outline(const quad *q, const double slope[4], double row, size_t count,
            double *steps)
{
    for (int k = 0; k < 4; k++) {
        int next = (k + 1) & 3;
        double from = lesser(greater(q->y[k], row), row + 1.0);
        double to = lesser(greater(q->y[next], row), row + 1.0);

        if (from == to)
            continue;
        add_line(steps, count, q->x[k] + (from - q->y[k]) * slope[k],
                 q->x[next] + (to - q->y[next]) * slope[k], from - to);
    }
}

static inline void
add_to_cell(const work *w, const pixel *p, size_t cell, double g)
{
    const ww_drizzle_output *out = w->out;
    size_t n_cell = out->ny * out->nx;
    double *sum = out->sum + cell;

    out->weight[cell] += g;
    for (size_t k = 0; k < w->in->n_plane; k++)
        sum[k * n_cell] += g * w->value[k];
    if (out->dq != NULL)
        out->dq[cell] |= p->dq;
    if (out->context != NULL && g > 0.0)
        out->context[cell] |= w->in->context_bit;
}

/* Does a pixel contribute, as far as can be told without its corners? */
static int
takes_part(const work *w, size_t index)
{
    const ww_drizzle_input *in = w->in;
    float weight = in->weight[index];
    double x = in->map_x[index];
    double y = in->map_y[index];

    if (!(weight < 0.0f || weight > 0.0f))
        return 0;
    if (in->nan_rule == WW_NAN_SKIP && !isfinite(in->value[index]))
        return 0;
    return !in->centre_inside || (x >= -0.5 && x < (double)w->out->nx - 0.5 &&
                                  y >= -0.5 && y < (double)w->out->ny - 0.5);
}

static pixel
load_pixel(const work *w, size_t index)
{
    const ww_drizzle_input *in = w->in;
    size_t n_pixel = in->ny * in->nx;
    pixel p = {(double)in->weight[index], in->dq != NULL ? in->dq[index] : 0};

    for (size_t k = 0; k < in->n_plane; k++)
        w->value[k] = (double)in->value[k * n_pixel + index];
    return p;
}

/* Distribute a pixel, if it takes part, over the cells that its quadrilateral
 * overlaps. */
static void
add_quad(const work *w, size_t index, quad *q, double area)
{
    const ww_drizzle_output *out = w->out;
    span rows = clipped_span(q->y, out->ny), cols;
    double least = HIT_SHARE * fabs(area);
    double slope[4], scale;
    size_t start = rows.first, stop = rows.first + rows.count;
    pixel p;

    start = start > w->row_start ? start : w->row_start;
    stop = stop < w->row_stop ? stop : w->row_stop;
    /* Rows come first: in a call for few rows, most pixels end here. */
    if (start >= stop)
        return;
    cols = clipped_span(q->x, out->nx);
    if (cols.count == 0 || !takes_part(w, index))
        return;
    p = load_pixel(w, index);
    scale = p.weight / area;
    /* Small numbers keep more digits. The origin does not depend on the
     * rows asked for, so the result does not either. */
    for (int k = 0; k < 4; k++) {
        q->x[k] -= (double)cols.first;
        q->y[k] -= (double)rows.first;
    }
    for (int k = 0; k < 4; k++) {
        int next = (k + 1) & 3;
        slope[k] = (q->x[next] - q->x[k]) / (q->y[next] - q->y[k]);
    }
    for (size_t r = start; r < stop; r++) {
        double a = 0.0;

        add_outline(q, slope, (double)(r - rows.first), cols.count, w->steps);
        for (size_t c = 0; c < cols.count; c++) {
            a += w->steps[c];
            w->steps[c] = 0.0;
            if (fabs(a) > least)
                add_to_cell(w, &p, r * out->nx + cols.first + c, a * scale);
        }
        w->steps[cols.count] = 0.0;
        w->steps[cols.count + 1] = 0.0;
    }
}

static void
add_row_square(const work *w, size_t j)
{
    const ww_drizzle_input *in = w->in;
    double h = 0.5 * in->pixfrac;

    interpolate_line(in->map_x, in->ny, in->nx, j, 0, h, w->upper_x);
    interpolate_line(in->map_y, in->ny, in->nx, j, 0, h, w->upper_y);
    interpolate_line(in->map_x, in->ny, in->nx, j, 1, h, w->lower_x);
    interpolate_line(in->map_y, in->ny, in->nx, j, 1, h, w->lower_y);
    for (size_t i = 0; i < in->nx; i++) {
        const double *ux = w->upper_x + i + 1, *uy = w->upper_y + i + 1;
        const double *lx = w->lower_x + i + 1, *ly = w->lower_y + i + 1;
        double c = 1.0 - h;
        quad q = {{c * ux[0] + h * ux[-1], c * ux[0] + h * ux[1],
                   c * lx[0] + h * lx[1], c * lx[0] + h * lx[-1]},
                  {c * uy[0] + h * uy[-1], c * uy[0] + h * uy[1],
                   c * ly[0] + h * ly[1], c * ly[0] + h * ly[-1]}};
        double area = quad_area(&q);

        if (!isfinite(area) && in->edge == WW_EDGE_JACOBIAN &&
            repair_corners(in, j, i, &q))
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
add_row_point(const work *w, size_t j)
{
    const ww_drizzle_input *in = w->in;

    for (size_t i = 0; i < in->nx; i++) {
        size_t index = j * in->nx + i;
        size_t row, col;
        pixel p;

        if (nearest_cell(in->map_y[index], w->out->ny, &row) &&
            row >= w->row_start && row < w->row_stop &&
            nearest_cell(in->map_x[index], w->out->nx, &col) &&
            takes_part(w, index)) {
            p = load_pixel(w, index);
            add_to_cell(w, &p, row * w->out->nx + col, p.weight);
        }
    }
}

/* Add all input rows that can reach the rows asked for. */
static void
add_rows(const work *w)
{
    const ww_drizzle_input *in = w->in;
    bounds b[3] = {{INFINITY, -INFINITY}, {INFINITY, -INFINITY}};

    b[2] = row_bounds(in->map_y, in->nx);
    for (size_t j = 0; j < in->ny; j++) {
        double low, high, reach;

        b[0] = b[1];
        b[1] = b[2];
        if (j + 1 < in->ny)
            b[2] = row_bounds(in->map_y + (j + 1) * in->nx, in->nx);
        low = lesser(lesser(b[0].low, b[1].low), b[2].low);
        high = greater(greater(b[0].high, b[1].high), b[2].high);
        reach = CORNER_REACH * (high - low);
        /* Half a cell more than the cells themselves, for rounding. */
        if (!(low - reach <= (double)w->row_stop &&
              high + reach >= (double)w->row_start - 1.0))
            continue;
        if (in->kernel == WW_KERNEL_SQUARE)
            add_row_square(w, j);
        else
            add_row_point(w, j);
    }
}

static int
check_arguments(const ww_drizzle_input *in, const ww_drizzle_output *out,
                size_t row_start, size_t row_stop)
{
    if (!in->ny || !in->nx || !in->n_plane || !out->ny || !out->nx)
        return WW_ERR_SHAPE;
    if (row_start > row_stop || row_stop > out->ny)
        return WW_ERR_RANGE;
    if ((in->kernel != WW_KERNEL_SQUARE && in->kernel != WW_KERNEL_POINT) ||
        (in->edge != WW_EDGE_JACOBIAN && in->edge != WW_EDGE_SKIP) ||
        (in->nan_rule != WW_NAN_SKIP && in->nan_rule != WW_NAN_POISON) ||
        !(in->pixfrac > 0.0 && in->pixfrac <= 1.0))
        return WW_ERR_ARGUMENT;
    return WW_OK;
}

int
ww_drizzle_add(const ww_drizzle_input *in, const ww_drizzle_output *out,
               size_t row_start, size_t row_stop)
{
    work w = {.in = in, .out = out};
    int status = check_arguments(in, out, row_start, row_stop);
    size_t line = in->nx + 2;
    double *scratch = NULL;
    size_t size = 4 * line + (out->nx + 2) + in->n_plane;

    if (status != WW_OK || row_start == row_stop)
        return status;
    if (in->nx < LENGTH_MAX && out->nx < LENGTH_MAX &&
        in->n_plane < LENGTH_MAX)
        scratch = calloc(size, sizeof *scratch);
    if (scratch == NULL)
        return WW_ERR_NOMEM;
    w.row_start = row_start;
    w.row_stop = row_stop;
    w.upper_x = scratch;
    w.upper_y = w.upper_x + line;
    w.lower_x = w.upper_y + line;
    w.lower_y = w.lower_x + line;
    w.steps = w.lower_y + line;
    w.value = w.steps + out->nx + 2;
    add_rows(&w);
    free(scratch);
    return WW_OK;
}
