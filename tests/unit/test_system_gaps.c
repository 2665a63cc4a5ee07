/* tests/unit/test_system_gaps.c - what no script made is told with what to do. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "assemble/system/system_gaps.h"

enum { MOST = 4 };

static void gaps_are_told_with_what_to_do(void **state)
{
    static const struct {
        enum ecosystem eco;
        const char *packages[MOST], *uncovered[MOST], *says[MOST];
    } cases[] = {
        {ECO_DEB, {"bash", "curl"}, {NULL}, {NULL}},
        {ECO_DEB, {"openssh-client"}, {NULL}, {NULL}},
        /* Rules stand for its script, and the keys are missing all the same. */
        {ECO_DEB,
         {"openssh-server"},
         {NULL},
         {"openssh-server: the image has no ssh host keys, which all of its containers would "
          "share; run `mkdir -p /run/sshd && ssh-keygen -A` in a container before sshd starts, or "
          "mount keys into /etc/ssh"}},
        {ECO_WHEEL, {"openssh-server"}, {NULL}, {NULL}},
        {ECO_DEB,
         {"locales"},
         {NULL},
         {"locales: no locale is made, for the recipe's env asks for none; C.UTF-8 is there "
          "anyway, and with `env: {LANG: en_US.UTF-8}` that one is made"}},
        {ECO_DEB, {"locales", "locales-all"}, {NULL}, {NULL}},
        {ECO_DEB, {"iputils-ping"}, {NULL}, {NULL}}, /* a rule stands for its script */
        {ECO_DEB,
         {"iputils-ping", "oddity", "ssl-cert"},
         {"iputils-ping 3:20250605-1 postinst", "oddity 1.0 postinst", "ssl-cert 1.1.2 postinst"},
         {"no rule stands for the maintainer script iputils-ping 3:20250605-1 postinst: "
          "/usr/bin/ping has no capability cap_net_raw; where it may not open its socket, run it "
          "as root",
          "no rule stands for the maintainer script oddity 1.0 postinst: what it would have done "
          "is missing in the image; read it there, as /var/lib/dpkg/info/oddity*.postinst, and run "
          "what you need of it in a container, or bring the result by `files`",
          "no rule stands for the maintainer script ssl-cert 1.1.2 postinst: what it would have "
          "done is missing in the image; read it there, as /var/lib/dpkg/info/ssl-cert*.postinst, "
          "and run what you need of it in a container, or bring the result by `files`",
          "ssl-cert: the image has no self-signed certificate, whose key all of its containers "
          "would share; run `make-ssl-cert generate-default-snakeoil` in a container before a "
          "program asks for it"}},
        /* Another script of a package that is known. */
        {ECO_DEB,
         {"mtr-tiny"},
         {"mtr-tiny 0.95-1 preinst"},
         {"no rule stands for the maintainer script mtr-tiny 0.95-1 preinst: what it would have "
          "done is missing in the image; read it there, as /var/lib/dpkg/info/mtr-tiny*.preinst, "
          "and run what you need of it in a container, or bring the result by `files`"}},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(lock_clear) struct lock lock = {0};
        CLEANUP(names_clear) struct names said = {0};
        size_t n = 0;

        for (size_t k = 0; k < MOST && cases[i].packages[k]; k++)
            vec_add(&lock.artifacts,
                    ((struct artifact){.eco = cases[i].eco, .name = str_of(cases[i].packages[k])}));
        for (size_t k = 0; k < MOST && cases[i].uncovered[k]; k++)
            vec_add(&lock.uncovered, str_of(cases[i].uncovered[k]));
        system_gaps(&lock, &said);
        while (n < MOST && cases[i].says[n])
            n++;
        assert_int_equal(said.n, n);
        for (size_t k = 0; k < n; k++)
            assert_string_equal(said.v[k], cases[i].says[k]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gaps_are_told_with_what_to_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
