/* The built-in catalog, open while a group of tests runs. Behind cmocka.h. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "model/catalog.h"

static struct catalog catalog;

static int begin(void **state)
{
    struct err e = {0};

    return catalog_open(&catalog, NULL, &e);
}

static int end(void **state)
{
    catalog_clear(&catalog);
    return 0;
}
