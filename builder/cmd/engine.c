/* SPDX-License-Identifier: Apache-2.0 */
#include "engine.h"

#include "../host/probe.h"
#include "../io/program.h"

bool engine_agrees(char *const *argv, const struct events *events)
{
    CLEANUP(program_clear) struct program *program = NULL;
    CLEANUP(err_clear) struct err ignored = {0}; /* it is no engine to use */
    struct program_end end;

    return program_open(&program,
                        &(struct program_how){.name = argv[0],
                                              .argv = argv,
                                              .errors = PROGRAM_ERRORS_DROPPED,
                                              .output_max = 1,
                                              .keep_end = true,
                                              .events = events},
                        &ignored) == 0 &&
           program_wait(program, &end, &ignored) == 0 && !end.code && !end.signal;
}

bool engine_has_gpus(void)
{
    struct probe probe = {0};
    bool has;

    probe_host(&probe, "", NULL);
    has = probe.gpus.n > 0;
    probe_clear(&probe);
    return has;
}
