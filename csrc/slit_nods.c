#include "slit_nods.h"

#include <math.h>

/* What a value adds to a sum. */
static double
known(double value)
{
    return isnan(value) ? 0.0 : value;
}

/* A variance as the sums take it. */
static double
rounded(double value, int rounds)
{
    return rounds ? (double)(float)value : value;
}

int
ww_slit_nod_mean(const ww_slit_nods *in, size_t start, size_t stop, double *out)
{
    if (start > stop || stop > in->n_pixel)
        return WW_ERR_RANGE;
    for (size_t p = start; p < stop; p++) {
        double sums[4] = {0.0}, n = 0.0;

        for (size_t e = 0; e < in->n_exposure; e++) {
            size_t i = e * in->n_pixel + p;

            if (!in->chosen[e])
                continue;
            n += in->counted[i] != 0;
            if (!in->mask[i])
                continue;
            sums[0] += known(in->data[i]);
            sums[1] += known(in->sky[i]);
            sums[2] = rounded(sums[2] + rounded(known(in->variance[i]), in->rounds),
                              in->rounds);
            sums[3] =
                rounded(sums[3] + rounded(known(in->read_variance[i]), in->rounds),
                        in->rounds);
        }
        for (size_t k = 0; k < 4; k++)
            out[k * in->n_pixel + p] =
                n > 0.0 ? sums[k] / (k < 2 ? n : n * n) : NAN;
    }
    return WW_OK;
}
