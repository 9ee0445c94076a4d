#include "bspline_window.h"

#include <math.h>
#include <string.h>

static void
take_list(ww_sample_list *list, size_t size, ww_arena *arena)
{
    list->n = 0;
    list->x = ww_arena_take(arena, size, sizeof *list->x);
    list->y = ww_arena_take(arena, size, sizeof *list->y);
    list->pixel = ww_arena_take(arena, size, sizeof *list->pixel);
}

void
ww_window_init(ww_sample_window *window, const ww_trace_samples *samples,
               int need_error, size_t n_column, ww_arena *arena)
{
    size_t size = n_column * samples->n_row;

    window->samples = samples;
    window->need_error = need_error;
    window->start = window->stop = 0;
    take_list(&window->list, size, arena);
    take_list(&window->spare, size, arena);
    take_list(&window->enter, samples->n_row, arena);
    take_list(&window->leave, samples->n_row, arena);
    window->run = ww_arena_take(arena, n_column + 1, sizeof *window->run);
}

static int
is_before(double x, int32_t pixel, double other_x, int32_t other_pixel)
{
    return x < other_x || (x == other_x && pixel < other_pixel);
}

/* Columns are nearly always in order, up or down: insertion is fast then. */
static void
sort_column(ww_sample_list *list)
{
    if (list->n > 1 && list->x[0] > list->x[list->n - 1])
        for (size_t i = 0, j = list->n - 1; i < j; i++, j--) {
            ww_sample_list l = *list;
            double x = l.x[i], y = l.y[i];
            int32_t pixel = l.pixel[i];

            l.x[i] = l.x[j], l.y[i] = l.y[j], l.pixel[i] = l.pixel[j];
            l.x[j] = x, l.y[j] = y, l.pixel[j] = pixel;
        }
    for (size_t i = 1; i < list->n; i++) {
        double x = list->x[i], y = list->y[i];
        int32_t pixel = list->pixel[i];
        size_t j = i;

        for (;
             j > 0 && is_before(x, pixel, list->x[j - 1], list->pixel[j - 1]);
             j--) {
            list->x[j] = list->x[j - 1];
            list->y[j] = list->y[j - 1];
            list->pixel[j] = list->pixel[j - 1];
        }
        list->x[j] = x, list->y[j] = y, list->pixel[j] = pixel;
    }
}

/* Set a list to the samples of one column, in order. */
static void
gather_column(const ww_sample_window *window, size_t column,
              ww_sample_list *list)
{
    const ww_trace_samples *s = window->samples;
    size_t begin = column * s->n_row;
    double divisor = s->divisor ? s->divisor[column] : 1.0;

    list->n = 0;
    for (size_t p = begin; p < begin + s->n_row; p++) {
        double y = s->flux[p] / divisor;

        if (s->single)
            y = (float)s->flux[p] / (float)divisor;
        if (!isfinite(y) || !isfinite(s->alpha[p]))
            continue;
        if (window->need_error &&
            !(s->error[p] > 0.0 && isfinite(s->error[p])))
            continue;
        list->x[list->n] = s->alpha[p];
        list->y[list->n] = y;
        list->pixel[list->n++] = (int32_t)p;
    }
    sort_column(list);
}

/* The first place from start on that does not come before a sample. */
static size_t
find_place(const ww_sample_list *list, size_t start, double x, int32_t pixel)
{
    size_t n = list->n - start;

    /* Without branches to predict: the half with the place is kept. */
    while (n > 1) {
        size_t half = n / 2;

        start += list->x[start + half - 1] < x ? half : 0;
        n -= half;
    }
    while (start < list->n &&
           is_before(list->x[start], list->pixel[start], x, pixel))
        start++;
    return start;
}

static void
append(ww_sample_list *to, const ww_sample_list *from, size_t begin, size_t n)
{
    memcpy(to->x + to->n, from->x + begin, n * sizeof *to->x);
    memcpy(to->y + to->n, from->y + begin, n * sizeof *to->y);
    memcpy(to->pixel + to->n, from->pixel + begin, n * sizeof *to->pixel);
    to->n += n;
}

static void
swap_lists(ww_sample_window *window)
{
    ww_sample_list swap = window->list;

    window->list = window->spare;
    window->spare = swap;
}

/* Make the list without those that leave and with those that enter. */
static void
exchange(ww_sample_window *window)
{
    const ww_sample_list *enter = &window->enter, *leave = &window->leave;
    ww_sample_list *old = &window->list, *list = &window->spare;
    size_t at = 0, e = 0, l = 0;

    list->n = 0;
    while (e < enter->n || l < leave->n) {
        int leaves = l < leave->n && (e == enter->n ||
                                      is_before(leave->x[l], leave->pixel[l],
                                                enter->x[e], enter->pixel[e]));
        const ww_sample_list *event = leaves ? leave : enter;
        size_t k = leaves ? l++ : e++;
        size_t place = find_place(old, at, event->x[k], event->pixel[k]);

        append(list, old, at, place - at);
        at = place;
        if (leaves)
            at++;
        else
            append(list, enter, k, 1);
    }
    append(list, old, at, old->n - at);
    swap_lists(window);
}

/* Append two neighbouring runs of a list to another list as one run; all pixels
 * of the first come before those of the second. */
static void
merge(const ww_sample_list *from, size_t begin, size_t middle, size_t end,
      ww_sample_list *to)
{
    size_t left = begin, right = middle;

    while (left < middle && right < end) {
        int is_right = from->x[right] < from->x[left];
        size_t k = is_right ? right : left;

        to->x[to->n] = from->x[k];
        to->y[to->n] = from->y[k];
        to->pixel[to->n++] = from->pixel[k];
        right += (size_t)is_right;
        left += (size_t)!is_right;
    }
    append(to, from, left, middle - left);
    append(to, from, right, end - right);
}

/* Fill the window with columns, by merging these: column by column would be an
 * exchange for each. */
static void
begin_anew(ww_sample_window *window, size_t start, size_t stop)
{
    size_t n_run = 0, *run = window->run;

    window->list.n = 0;
    window->start = start;
    window->stop = stop;
    for (size_t column = start; column < stop; column++) {
        run[n_run++] = window->list.n;
        gather_column(window, column, &window->enter);
        append(&window->list, &window->enter, 0, window->enter.n);
    }
    while (n_run > 1) {
        size_t n_merged = 0;

        window->spare.n = 0;
        run[n_run] = window->list.n;
        for (size_t r = 0; r < n_run; r += 2) {
            size_t next = r + 1 < n_run ? r + 2 : r + 1;
            size_t begin = run[r], middle = run[r + 1], end = run[next];

            run[n_merged++] = window->spare.n;
            merge(&window->list, begin, middle, end, &window->spare);
        }
        n_run = n_merged;
        swap_lists(window);
    }
}

void
ww_window_move(ww_sample_window *window, size_t start, size_t stop)
{
    if (start >= window->stop) {
        begin_anew(window, start, stop);
        return;
    }
    while (window->start < start || window->stop < stop) {
        window->enter.n = window->leave.n = 0;
        if (window->start < start)
            gather_column(window, window->start++, &window->leave);
        if (window->stop < stop)
            gather_column(window, window->stop++, &window->enter);
        exchange(window);
    }
}
