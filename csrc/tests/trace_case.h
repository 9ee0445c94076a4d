/* A region of two columns with a trace: what the tests of evaluation share. */
#ifndef WW_TRACE_CASE_H
#define WW_TRACE_CASE_H

#include "trace_image.h"

enum { CASE_NY = 8, CASE_NX = 2, CASE_STRIDE = 9 };

/* s(a) = a * a on [0, 8], by its coefficients on one inner knot: those of a
 * quadratic are the products of two of each three knots, averaged. */
typedef struct {
    int32_t map[CASE_NY * CASE_NX], first[CASE_NX], stop[CASE_NX];
    double alpha[CASE_NY * CASE_NX];
    double knots[CASE_NX * CASE_STRIDE], coefficients[CASE_NX * CASE_STRIDE];
    int32_t n_knot[CASE_NX], model[CASE_NX];
    double lower[CASE_NX], upper[CASE_NX], scale[CASE_NX];
    double scale_error[CASE_NX];
    float covariance[CASE_NX * CASE_STRIDE * 4];
    ww_trace trace;
} trace_case;

static inline void
set_case(trace_case *s)
{
    static const double T[CASE_STRIDE] = {0, 0, 0, 0, 3, 8, 8, 8, 8};

    for (int i = 0; i < CASE_NY * CASE_NX; i++) {
        s->map[i] = 1;
        s->alpha[i] = i / CASE_NX;
    }
    for (int x = 0; x < CASE_NX; x++) {
        double *c = s->coefficients + x * CASE_STRIDE;

        s->first[x] = 0, s->stop[x] = CASE_NY;
        s->n_knot[x] = CASE_STRIDE, s->model[x] = x;
        s->lower[x] = 0.0, s->upper[x] = 8.0;
        s->scale[x] = 2.0, s->scale_error[x] = 0.5;
        for (int i = 0; i < CASE_STRIDE; i++) {
            s->knots[x * CASE_STRIDE + i] = T[i];
            c[i] = 0.0;
        }
        for (int i = 0; i < CASE_STRIDE - 4; i++)
            c[i] = (T[i + 1] * T[i + 2] + T[i + 1] * T[i + 3] +
                    T[i + 2] * T[i + 3]) /
                   3.0;
    }
    for (int i = 0; i < CASE_NX * CASE_STRIDE * 4; i++)
        s->covariance[i] = 0.0f;
    s->trace = (ww_trace){{CASE_NY, CASE_NX, s->map, 1, s->first, s->stop},
                          {s->alpha, 0},
                          0,
                          {CASE_NX, CASE_STRIDE, s->knots, s->coefficients,
                           s->n_knot, s->lower, s->upper, s->model, s->scale},
                          s->scale_error,
                          s->covariance};
}

#endif
