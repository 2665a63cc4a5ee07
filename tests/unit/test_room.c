/* cmd/room.c: what is refused for want of room, and how. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "cmd/room.h"

#define GIB (UINT64_C(1) << 30)

static void disks_are_judged_by_all_that_goes_there(void **state)
{
    static const struct {
        struct room_need needs[2];
        const char *says; /* NULL: there is room */
    } cases[] = {
        {{{"store", 2 * GIB, {true, 1, 5 * GIB}}, {"images", 3 * GIB, {true, 1, 5 * GIB}}}, NULL},
        {{{"store", 3 * GIB, {true, 1, 5 * GIB}}, {"images", 3 * GIB, {true, 1, 5 * GIB}}},
         "this build needs 3.0 GiB in store and 3.0 GiB in images, and that disk has 5.0 GiB free; "
         "make room, or name other places with --store DIR and -o DEST"},
        {{{"store", 3 * GIB, {true, 1, 5 * GIB}}, {"images", 3 * GIB, {true, 2, 3 * GIB}}}, NULL},
        {{{"store", 0, {true, 1, 0}}, {"images", 3 * GIB, {true, 2, GIB}}},
         "this build needs 3.0 GiB in images, and that disk has 1.0 GiB free; make room, or name "
         "other places with --store DIR and -o DEST"},
        {{{"store", 3 * GIB, {false, 0, 0}}, {"images", 3 * GIB, {false, 0, 0}}}, NULL},
        {{{"store", UINT64_MAX, {true, 1, 0}}, {"images", GIB, {true, 2, GIB}}},
         "this build needs 16777216.0 TiB in store, and that disk has 0 B free; make room, or name "
         "other places with --store DIR and -o DEST"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(err_clear) struct err e = {0};

        assert_int_equal(room_check(cases[i].needs, 2, &e), cases[i].says ? -1 : 0);
        if (cases[i].says)
            assert_string_equal(e.msg, cases[i].says);
    }
}

static void a_folder_to_come_is_on_the_disk_of_the_nearest(void **state)
{
    struct fs_room there, to_come;

    fs_room(&there, ".");
    fs_room(&to_come, "not/there/yet");
    assert_true(there.known && to_come.known && there.disk == to_come.disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(disks_are_judged_by_all_that_goes_there),
        cmocka_unit_test(a_folder_to_come_is_on_the_disk_of_the_nearest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
