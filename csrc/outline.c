#include "outline.h"

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

/* Add to the steps of one row of cells what lies to the right of a line
 * that spans dy in y while x goes from left to right, or back. */
static inline void
add_inside(double *steps, double left, double right, double dy)
{
    double slope, part, area;
    ptrdiff_t c = (ptrdiff_t)left;
    double edge = (double)c + 1.0;

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

/* The same for a line that may leave the cells: what is left of them counts
 * in full, what is right of them not at all. */
static void
add_line(double *steps, size_t count, double a, double b, double dy)
{
    double left = lesser(a, b);
    double right = greater(a, b);
    double width = (double)count;
    double part;

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
    add_inside(steps, left, right, dy);
}

void
ww_outline_row(const ww_quad *q, const double slope[4], double row,
               size_t count, double *steps)
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

/* Add a line that goes down from (x, low) to (x_stop, high), through several
 * rows of cells; sign tells its direction. */
static void
add_long_line(double *steps, size_t stride, double x, double low,
              double x_stop, double high, double sign)
{
    double slope = (x_stop - x) / (high - low);
    size_t r = (size_t)(ptrdiff_t)low;
    double edge = (double)r + 1.0;

    for (; high > edge; edge += 1.0, r++) {
        double x_edge = x + (edge - low) * slope;

        add_inside(steps + r * stride, lesser(x, x_edge), greater(x, x_edge),
                   sign * (edge - low));
        x = x_edge;
        low = edge;
    }
    add_inside(steps + r * stride, lesser(x, x_stop), greater(x, x_stop),
               sign * (high - low));
}

void
ww_outline_all(const ww_quad *q, size_t stride, double *steps)
{
    for (int k = 0; k < 4; k++) {
        int next = (k + 1) & 3;
        double x = q->x[k], y = q->y[k];
        double x_next = q->x[next], y_next = q->y[next];
        ptrdiff_t r = (ptrdiff_t)y;

        if (r == (ptrdiff_t)y_next)
            add_inside(steps + (size_t)r * stride, lesser(x, x_next),
                       greater(x, x_next), y - y_next);
        else if (y < y_next)
            add_long_line(steps, stride, x, y, x_next, y_next, -1.0);
        else
            add_long_line(steps, stride, x_next, y_next, x, y, 1.0);
    }
}
