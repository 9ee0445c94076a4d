/* Every status code has a phrase of its own, and none is NULL. */
#undef NDEBUG
#include <assert.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>

#include "status.h"

static const int CODES[] = {WW_OK, WW_ERR_NOMEM, WW_ERR_SHAPE, WW_ERR_RANGE,
                            WW_ERR_ARGUMENT};
static const size_t N_CODE = sizeof CODES / sizeof CODES[0];

static void
check_phrase(int status)
{
    const char *phrase = ww_strerror(status);

    assert(phrase != NULL);
    assert(strlen(phrase) > 0);
    assert(phrase[strlen(phrase) - 1] != '.');
}

int
main(void)
{
    const char *unknown = ww_strerror(1);

    for (size_t i = 0; i < N_CODE; i++) {
        check_phrase(CODES[i]);
        assert(strcmp(ww_strerror(CODES[i]), unknown) != 0);
        for (size_t j = 0; j < i; j++)
            assert(strcmp(ww_strerror(CODES[i]), ww_strerror(CODES[j])) != 0);
    }
    check_phrase(1);
    assert(strcmp(ww_strerror(INT_MIN), unknown) == 0);
    assert(strcmp(ww_strerror(INT_MAX), unknown) == 0);
    return 0;
}
