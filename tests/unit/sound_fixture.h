/* sound_fixture.h: what the tests of sound have in common. */
#ifndef PIPESTILL_TESTS_SOUND_FIXTURE_H
#define PIPESTILL_TESTS_SOUND_FIXTURE_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* Fails unless the numbers differ by `most` at most; not a number is never near. */
static void assert_near(double number, double expected, double most)
{
    if (!(fabs(number - expected) <= most))
        fail_msg("%g is not %g", number, expected);
}

#endif
