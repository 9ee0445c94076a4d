#include "corners.h"

#include <math.h>

void
ww_corners_line(const double *map, size_t ny, size_t nx, size_t j, int below,
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
is_mapped(const ww_overlap_input *in, size_t index)
{
    return isfinite(in->map_x[index]) && isfinite(in->map_y[index]);
}

/* The step of the map along one axis of the input, towards side: from the
 * neighbour on that side, or else from the other one. Neighbours lie stride
 * apart; before and after tell whether they exist. Returns 0 if neither is
 * mapped. */
static int
one_sided_step(const ww_overlap_input *in, size_t index, size_t stride,
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

int
ww_corners_repair(const ww_overlap_input *in, size_t j, size_t i, ww_quad *q)
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
