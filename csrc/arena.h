/* One allocation shared by many arrays: the single scratch allocation of a
 * call. Walk through the takes once with base NULL to learn the size, allocate,
 * and walk through them again. */
#ifndef WW_ARENA_H
#define WW_ARENA_H

#include <stddef.h>

typedef struct {
    unsigned char *base; /* NULL: only count */
    size_t used;
} ww_arena;

/* Arrays start at multiples of a cache line. */
#define WW_ARENA_STEP ((size_t)64)

/* Room for count items of a size; NULL while counting. */
static inline void *
ww_arena_take(ww_arena *arena, size_t count, size_t size)
{
    size_t offset = arena->used;

    arena->used +=
        (count * size + WW_ARENA_STEP - 1) / WW_ARENA_STEP * WW_ARENA_STEP;
    return arena->base ? arena->base + offset : NULL;
}

#endif
