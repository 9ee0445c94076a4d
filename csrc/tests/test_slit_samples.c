#undef NDEBUG
#include <assert.h>
#include <math.h>
#include <string.h>

#include "slit_samples.h"

/* Two rows and three columns. Of four exposures the first is added, the second
 * and the third are subtracted, the last is neither. */
enum { N = 4, NY = 2, NX = 3, P = NY * NX };

static const uint8_t SIDE[N] = {WW_NOD_ADDED, WW_NOD_SUBTRACTED,
                                WW_NOD_SUBTRACTED, WW_NOD_UNUSED};

typedef struct {
    uint8_t add[N * P], subtract[N * P];
    double spread[N * P], distance[N * P], base[N * NX];
    double diff[P], variance[P], read[P];
} planes;

static void
fill(planes *to)
{
    memset(to->add, 1, sizeof to->add);
    memset(to->subtract, 1, sizeof to->subtract);
    for (int i = 0; i < N * P; i++) {
        to->spread[i] = 0.5 + i;
        to->distance[i] = 100.0 + i;
    }
    for (int i = 0; i < N * NX; i++)
        to->base[i] = 0.25 * i;
    for (int p = 0; p < P; p++) {
        to->diff[p] = 10.0 * p;
        to->variance[p] = 4.0;
        to->read[p] = 2.0;
    }
}

static ww_slit_planes
make_input(planes *of)
{
    fill(of);
    return (ww_slit_planes){N,        NY,           NX,           SIDE,
                            of->add,  of->subtract, of->spread,   of->distance,
                            of->base, of->diff,     of->variance, of->read};
}

/* Room for all that there can be. */
typedef struct {
    int64_t place[P], column[P], sample_place[N * P], owner[N * P];
    double diff[P], variance[P], weight[P], error[P];
    double y[N * P], spread[N * P], share[N * P];
    int64_t pixels[NX + 1], samples[NX + 1];
} lists;

static int
list(const ww_slit_planes *in, lists *to)
{
    ww_slit_lists at = {to->pixels,       to->samples,  to->place,  to->column,
                        to->diff,         to->variance, to->weight, to->error,
                        to->sample_place, to->owner,    to->y,      to->spread,
                        to->share};

    return ww_slit_list(in, &at);
}

static void
test_order(void)
{
    planes of;
    lists found;
    ww_slit_planes in = make_input(&of);

    assert(list(&in, &found) == WW_OK);
    for (int c = 0; c <= NX; c++) {
        assert(found.pixels[c] == NY * c);
        assert(found.samples[c] == 3 * NY * c);
    }
    /* Pixel 2 is the first of the second column. */
    assert(found.place[2] == 1 && found.column[2] == 1);
    assert(found.place[3] == NX + 1 && found.diff[3] == 10.0 * (NX + 1));
    assert(found.variance[3] == 4.0 && found.weight[3] == 0.5);
    assert(found.error[3] == 0.5);
    /* Its column has both rows of the first exposure, then of the others. */
    assert(found.sample_place[6] == 1 && found.sample_place[7] == NX + 1);
    assert(found.sample_place[8] == P + 1 &&
           found.sample_place[10] == 2 * P + 1);
    assert(found.owner[6] == 2 && found.owner[7] == 3 && found.owner[11] == 3);
    assert(found.y[6] == -0.25 && found.y[7] == 0.75);
    assert(found.y[8] == 100.0 + P + 1 && found.spread[8] == 0.5 + P + 1);
    assert(found.share[6] == 1.0 && found.share[8] == -0.5);
}

static void
test_masks(void)
{
    planes of;
    lists found;
    ww_slit_planes in = make_input(&of);

    of.subtract[P] = 0;         /* one of two exposures of pixel 0 */
    of.add[P] = 0;              /* does not matter: it is subtracted */
    of.spread[2 * P + 1] = NAN; /* one of two of pixel 1 */
    of.add[2] = 0;              /* pixel 2 is not added at all */
    of.diff[NX] = NAN;
    of.variance[NX + 1] = 0.0;
    of.read[NX + 2] = -1.0;
    assert(list(&in, &found) == WW_OK);
    assert(found.pixels[1] == 1 && found.pixels[2] == 2 &&
           found.pixels[3] == 2);
    assert(found.samples[1] == 2 && found.samples[2] == 4);
    assert(found.samples[3] == 4);
    assert(found.sample_place[1] == 2 * P && found.share[1] == -1.0);
    assert(found.sample_place[3] == P + 1 && found.share[3] == -1.0);
    of.subtract[2 * P] = 0; /* nothing is left to subtract */
    assert(list(&in, &found) == WW_OK);
    assert(found.pixels[1] == 0 && found.pixels[2] == 1);
}

static void
test_nothing_subtracted(void)
{
    static const uint8_t sides[N] = {WW_NOD_ADDED, WW_NOD_ADDED, 0, 0};
    planes of;
    lists found;
    ww_slit_planes in = make_input(&of);

    in.side = sides;
    of.add[P + 2] = 0;
    assert(list(&in, &found) == WW_OK);
    assert(found.pixels[NX] == P && found.samples[NX] == 2 * P - 1);
    assert(found.share[0] == 0.5 && found.share[2 * P - 2] == 0.5);
    assert(found.sample_place[8] == 2 && found.share[8] == 1.0);
    assert(found.y[2] == -0.75); /* the base of the second exposure */
}

static void
test_errors(void)
{
    static const uint8_t sides[N] = {WW_NOD_ADDED, 3, 0, 0};
    planes of;
    lists found;
    ww_slit_planes in = make_input(&of);

    in.side = sides;
    found.pixels[0] = -1;
    assert(list(&in, &found) == WW_ERR_ARGUMENT);
    assert(found.pixels[0] == -1);
}

int
main(void)
{
    test_order();
    test_masks();
    test_nothing_subtracted();
    test_errors();
    return 0;
}
