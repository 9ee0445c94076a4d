#undef NDEBUG
#include <assert.h>
#include <math.h>

#include "slit_nods.h"

/* Three exposures of two pixels. */
static const double DATA[6] = {1, NAN, 3, 8, 5, NAN}, SKY[6] = {1, 1, 2, 2, 3, 3};
static const double VARIANCE[6] = {4, 4, 8, 8, 12, 12};
static const double READ[6] = {1, 1, 1, 1, 1, 1};
static const uint8_t MASK[6] = {1, 0, 1, 1, 1, 0}, ALL[6] = {1, 1, 1, 1, 1, 1};

static void
test_mean(void)
{
    uint8_t chosen[3] = {1, 0, 1};
    ww_slit_nods in = {3, 2, DATA, SKY, VARIANCE, READ, MASK, MASK, chosen, 0};
    double out[8];

    assert(ww_slit_nod_mean(&in, 0, 2, out) == WW_OK);
    assert(out[0] == 3.0 && out[2] == 2.0 && out[4] == 4.0 && out[6] == 0.5);
    for (int k = 0; k < 4; k++)
        assert(isnan(out[2 * k + 1]));
    in.counted = ALL; /* the sum stays, its divisor does not */
    assert(ww_slit_nod_mean(&in, 0, 2, out) == WW_OK);
    assert(out[0] == 3.0 && out[1] == 0.0 && out[5] == 0.0);
    in.mask = ALL; /* NaN add nothing, also where they count */
    assert(ww_slit_nod_mean(&in, 0, 2, out) == WW_OK);
    assert(out[1] == 0.0 && out[5] == 4.0);
    chosen[0] = chosen[2] = 0;
    assert(ww_slit_nod_mean(&in, 0, 2, out) == WW_OK);
    assert(isnan(out[0]));
}

static void
test_floats(void)
{
    double big[2] = {16777216.0, 1.0}, zero[2] = {0.0, 0.0}, out[4];
    uint8_t on[2] = {1, 1};
    ww_slit_nods in = {2, 1, zero, zero, big, big, on, on, on, 1};

    assert(ww_slit_nod_mean(&in, 0, 1, out) == WW_OK);
    assert(out[2] == 16777216.0 / 4.0); /* floats lose the one */
    in.rounds = 0;
    assert(ww_slit_nod_mean(&in, 0, 1, out) == WW_OK);
    assert(out[2] == 16777217.0 / 4.0);
}

static void
test_ranges(void)
{
    uint8_t chosen[3] = {1, 1, 1};
    ww_slit_nods in = {3, 2, DATA, SKY, VARIANCE, READ, MASK, MASK, chosen, 0};
    double out[8] = {-1, -1, -1, -1, -1, -1, -1, -1};

    assert(ww_slit_nod_mean(&in, 0, 3, out) == WW_ERR_RANGE);
    assert(ww_slit_nod_mean(&in, 2, 1, out) == WW_ERR_RANGE);
    assert(ww_slit_nod_mean(&in, 1, 1, out) == WW_OK);
    assert(out[0] == -1.0 && out[1] == -1.0);
    assert(ww_slit_nod_mean(&in, 1, 2, out) == WW_OK);
    assert(out[0] == -1.0 && out[1] == 8.0);
}

int
main(void)
{
    test_mean();
    test_floats();
    test_ranges();
    return 0;
}
