/* base/thread.h - threads that leave every signal to the main thread. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>

/* False where the machine has no thread to give. */
bool thread_start(pthread_t *thread, void *(*run)(void *), void *ctx);

/* Between the two, the threads that a library starts leave signals alone, too. */
void thread_signals_off(sigset_t *old);
void thread_signals_back(const sigset_t *old);
