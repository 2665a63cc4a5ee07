/* SPDX-License-Identifier: Apache-2.0 */
#include "thread.h"

void thread_signals_off(sigset_t *old)
{
    sigset_t all;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, old);
}

void thread_signals_back(const sigset_t *old)
{
    pthread_sigmask(SIG_SETMASK, old, NULL);
}

bool thread_start(pthread_t *thread, void *(*run)(void *), void *ctx)
{
    sigset_t old;
    int error;

    thread_signals_off(&old);
    error = pthread_create(thread, NULL, run, ctx);
    thread_signals_back(&old);
    return error == 0;
}
